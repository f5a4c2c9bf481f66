// Words, and the rows of text embeddings that stand for them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vocabseg {

// C classes and the Q words that stand for them. `queries[q]` belongs to class `query_to_class[q]`;
// a class is named by its first word. `background` lists the classes that mean unlabelled.
struct Words {
  std::vector<std::string> names, queries;
  std::vector<int32_t> query_to_class;
  std::vector<int32_t> background;
};

// One entry is one class, commas separate its synonyms, "background:" in front marks it as
// unlabelled: {"road", "car, truck, van", "background: sky"}. Throws VocabularyError on an empty
// list, empty words, two classes of one name, more than 65,535 classes, or nothing but background.
Words parse_vocabulary(const std::vector<std::string>& entries);

// Words with embeddings [Q, dim] float32, unit rows.
struct Vocabulary {
  Words words;
  std::vector<float> embeddings;
  int dim = 0;
  std::string templates;  // the template set that the embeddings were made with

  // Reads a stored vocabulary (.safetensors). Throws VocabularyError.
  static Vocabulary load(const std::filesystem::path& path);
};

}  // namespace vocabseg
