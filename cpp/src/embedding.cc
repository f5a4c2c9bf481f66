#include "embedding.hpp"

#include <algorithm>
#include <map>

#include "vocabseg/error.hpp"
#include "vocabseg/text_encoder.hpp"

namespace vocabseg {
namespace {

using Rows = std::map<std::string, std::vector<float>>;

// The stored rows that were made with the bundle's default templates.
Rows stored_rows(const Bundle& bundle) {
  Rows rows;
  for (const auto& [name, file] : bundle.manifest().vocabularies) {
    const Vocabulary stored = Vocabulary::load(bundle.file(file));
    if (stored.templates != bundle.manifest().templates ||
        stored.dim != bundle.manifest().embed_dim) {
      continue;
    }
    auto row = stored.embeddings.begin();
    for (const std::string& word : stored.words.queries) {
      rows[word].assign(row, row + stored.dim);
      row += stored.dim;
    }
  }
  return rows;
}

void add_encoded(const Bundle& bundle, const std::vector<std::string>& words,
                 const Settings& settings, Rows& rows) {
  const TextEncoder encoder = TextEncoder::for_words(bundle, settings);
  const std::vector<float> encoded =
      embed_words(encoder, words, template_set(bundle.manifest().templates));
  auto row = encoded.begin();
  for (const std::string& word : words) {
    rows[word].assign(row, row + encoder.dim());
    row += encoder.dim();
  }
}

}  // namespace

Vocabulary embed(const Bundle& bundle, const Words& words, const Settings& settings) {
  Rows rows = stored_rows(bundle);
  std::vector<std::string> missing;
  for (const std::string& word : words.queries) {
    if (!rows.count(word) && std::find(missing.begin(), missing.end(), word) == missing.end()) {
      missing.push_back(word);
    }
  }
  if (!missing.empty()) {
    if (!bundle.manifest().text_encoder) {
      throw VocabularyError("bundle \"" + bundle.manifest().name + "\" has no text tower, and \"" +
                            missing.front() +
                            "\" is not among its stored words; load a vocabulary made with "
                            "`vocabseg vocab build`");
    }
    add_encoded(bundle, missing, settings, rows);
  }
  Vocabulary vocabulary;
  vocabulary.words = words;
  vocabulary.dim = bundle.manifest().embed_dim;
  vocabulary.templates = bundle.manifest().templates;
  for (const std::string& word : words.queries) {
    const std::vector<float>& row = rows.at(word);
    vocabulary.embeddings.insert(vocabulary.embeddings.end(), row.begin(), row.end());
  }
  return vocabulary;
}

}  // namespace vocabseg
