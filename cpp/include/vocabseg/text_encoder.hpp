#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vocabseg/bundle.hpp"
#include "vocabseg/engine.hpp"
#include "vocabseg/settings.hpp"
#include "vocabseg/vocabulary.hpp"

namespace vocabseg {

// A bundle's text tower: prompts to unit rows.
class TextEncoder {
 public:
  // Throws VocabularyError if the bundle has no text tower, BackendUnavailable, EngineError.
  explicit TextEncoder(const Bundle& bundle, const Settings& settings = {});
  // For rows that are kept and compared: in float32 whatever settings.precision says, but engines
  // of TensorRT have the precision that they were built in.
  static TextEncoder for_words(const Bundle& bundle, Settings settings);
  // With an engine of the caller's, for tests.
  TextEncoder(const Bundle& bundle, std::unique_ptr<Engine> engine);
  ~TextEncoder();
  TextEncoder(TextEncoder&&) noexcept;
  TextEncoder& operator=(TextEncoder&&) noexcept;

  // float32 [T, dim], one unit row per prompt.
  std::vector<float> encode(const std::vector<std::string>& prompts) const;

  int dim() const;
  std::string backend() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The sentences of a template set that comes with vocabseg ("openai80", "simple7", "photo", ...),
// in which "{}" stands for the word. Throws VocabularyError on a name that is not known.
const std::vector<std::string>& template_set(const std::string& name);

// A row per word: every template encoded, unit rows, their mean, unit again.
std::vector<float> embed_words(const TextEncoder& encoder, const std::vector<std::string>& words,
                               const std::vector<std::string>& templates);

}  // namespace vocabseg
