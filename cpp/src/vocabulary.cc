#include "vocabseg/vocabulary.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "safetensors.hpp"
#include "text/unicode.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

constexpr size_t kMaxClasses = 65535;  // labels are at most 16 bits, 65535 means unlabelled
constexpr std::string_view kBackground = "background:";
constexpr float kUnitTolerance = 1e-3f;

std::string tidy(std::string_view word) {
  return text::encode_utf8(text::join_words(text::decode_utf8(word)));
}

std::string lower(const std::string& word) {
  return text::encode_utf8(text::lower(text::decode_utf8(word)));
}

std::vector<std::string> split_synonyms(const std::string& entry, std::string_view words) {
  std::vector<std::string> found;
  for (size_t begin = 0; begin <= words.size();) {
    const size_t comma = std::min(words.find(',', begin), words.size());
    found.push_back(tidy(words.substr(begin, comma - begin)));
    if (found.back().empty()) {
      throw VocabularyError("empty word in class \"" + entry +
                            "\"; write each class as \"word\" or \"word, synonym\"");
    }
    begin = comma + 1;
  }
  return found;
}

void check(const Words& words) {
  if (words.names.empty()) {
    throw VocabularyError("the vocabulary is empty; give at least one class, such as \"road\"");
  }
  if (words.names.size() > kMaxClasses) {
    throw VocabularyError(std::to_string(words.names.size()) +
                          " classes; a label map holds at most " + std::to_string(kMaxClasses));
  }
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < words.names.size(); ++i) {
    const auto [it, added] = seen.emplace(lower(words.names[i]), i);
    if (!added) {
      throw VocabularyError("class " + std::to_string(i) + " and class " +
                            std::to_string(it->second) + " have the same name \"" + words.names[i] +
                            "\"; remove one, or join them with commas");
    }
  }
  if (words.background.size() == words.names.size()) {
    throw VocabularyError("every class is background; give at least one class to look for");
  }
}

void check(const Vocabulary& vocabulary, const std::filesystem::path& path) {
  const auto fail = [&](const std::string& what) {
    throw VocabularyError("stored vocabulary " + path.string() + ": " + what +
                          "; make it again with `vocabseg vocab build`");
  };
  const Words& words = vocabulary.words;
  const auto classes = static_cast<int64_t>(words.names.size());
  if (words.queries.size() != words.query_to_class.size()) {
    fail(std::to_string(words.queries.size()) + " words for " +
         std::to_string(words.query_to_class.size()) + " rows");
  }
  std::vector<bool> has_query(words.names.size(), false);
  for (const int32_t index : words.query_to_class) {
    if (index < 0 || index >= classes) fail("a class index is out of range");
    has_query[static_cast<size_t>(index)] = true;
  }
  if (std::count(has_query.begin(), has_query.end(), false)) fail("a class has no word");
  for (const int32_t index : words.background) {
    if (index < 0 || index >= classes) fail("a background index is out of range");
  }
  for (size_t q = 0; q < words.queries.size(); ++q) {
    double square = 0;
    for (int i = 0; i < vocabulary.dim; ++i) {
      const double value = vocabulary.embeddings[q * static_cast<size_t>(vocabulary.dim) + i];
      square += value * value;
    }
    if (!(std::abs(std::sqrt(square) - 1) <= kUnitTolerance)) {
      fail("row " + std::to_string(q) + " is not a unit vector");
    }
  }
}

template <class T>
T metadata(const SafetensorsFile& file, const std::string& key) {
  try {
    return nlohmann::json::parse(file.metadata(key)).get<T>();
  } catch (const nlohmann::json::exception& error) {
    throw VocabularyError("stored vocabulary " + file.path().string() + ": metadata \"" + key +
                          "\" cannot be read: " + error.what());
  }
}

}  // namespace

Words parse_vocabulary(const std::vector<std::string>& entries) {
  Words words;
  for (const std::string& entry : entries) {
    if (entry.find(';') != std::string::npos) {
      throw VocabularyError("class \"" + entry +
                            "\" holds ';', which separates classes; give them as separate entries");
    }
    const auto index = static_cast<int32_t>(words.names.size());
    const std::string trimmed = tidy(entry);
    std::string_view synonyms = trimmed;
    if (lower(trimmed.substr(0, kBackground.size())) == kBackground) {
      words.background.push_back(index);
      synonyms.remove_prefix(kBackground.size());
    }
    const std::vector<std::string> found = split_synonyms(entry, synonyms);
    words.names.push_back(found.front());
    words.queries.insert(words.queries.end(), found.begin(), found.end());
    words.query_to_class.insert(words.query_to_class.end(), found.size(), index);
  }
  check(words);
  return words;
}

Vocabulary Vocabulary::load(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::read(path);
  Vocabulary vocabulary;
  vocabulary.words.names = metadata<std::vector<std::string>>(file, "names");
  vocabulary.words.queries = metadata<std::vector<std::string>>(file, "queries");
  vocabulary.words.background = metadata<std::vector<int32_t>>(file, "background");
  vocabulary.templates = file.metadata("templates");
  const auto [shape, rows] = file.floats("embeddings");
  if (shape.size() != 2 || shape[1] < 1) {
    throw VocabularyError("stored vocabulary " + path.string() + ": embeddings are not a matrix");
  }
  vocabulary.dim = static_cast<int>(shape[1]);
  vocabulary.embeddings = rows;
  for (const int64_t index : file.integers("query_to_class")) {
    vocabulary.words.query_to_class.push_back(
        index < 0 || index > static_cast<int64_t>(kMaxClasses) ? -1 : static_cast<int32_t>(index));
  }
  if (shape[0] != static_cast<int64_t>(vocabulary.words.query_to_class.size())) {
    throw VocabularyError("stored vocabulary " + path.string() + ": " + std::to_string(shape[0]) +
                          " rows for " + std::to_string(vocabulary.words.query_to_class.size()) +
                          " words");
  }
  check(vocabulary.words);
  check(vocabulary, path);
  return vocabulary;
}

}  // namespace vocabseg
