// CLIP's byte-pair tokenizer (Radford et al. 2021), equal to open_clip's SimpleTokenizer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vocabseg {

class Tokenizer {
 public:
  // merges: a text file with one merge "a b" a line, in order of rank, without a header.
  // Throws BundleError if the file cannot be read or a line is not a merge, and VocabularyError if
  // context_length < 2.
  Tokenizer(const std::filesystem::path& merges, int context_length);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // The ids of a text (UTF-8), without start and end, not truncated.
  std::vector<int64_t> encode(std::string_view text) const;

  // context_length ids: start, text, end, zeros. A longer text is cut, its last id is the end.
  std::vector<int64_t> encode_row(std::string_view text) const;

  int context_length() const;
  int vocab_size() const;  // 512 + merges + 2

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace vocabseg
