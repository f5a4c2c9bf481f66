#include "vocabseg/tokenizer.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <unordered_map>
#include <utility>

#include "text/clean.hpp"
#include "text/unicode.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

constexpr int32_t kByteSymbols = 256;
constexpr std::string_view kWordEnd = "</w>";

// The printable character by which merges files write a byte: printable Latin-1 stands for itself,
// the other bytes follow from U+0100. Symbols are numbered in that order too.
struct ByteSymbols {
  std::array<std::string, kByteSymbols> name;  // by id
  std::array<int32_t, kByteSymbols> id_of_byte{};

  ByteSymbols() {
    int32_t id = 0;
    const auto add = [&](int byte, char32_t symbol) {
      id_of_byte[byte] = id;
      text::append_utf8(symbol, name[id++]);
    };
    const auto printable = [](int b) { return (b >= '!' && b <= '~') || (b >= 0xA1 && b != 0xAD); };
    for (int b = 0; b < kByteSymbols; ++b) {
      if (printable(b)) add(b, static_cast<char32_t>(b));
    }
    char32_t next = 0x100;
    for (int b = 0; b < kByteSymbols; ++b) {
      if (!printable(b)) add(b, next++);
    }
  }
};

struct Merge {
  int32_t rank, merged;
};

uint64_t pair_key(int32_t a, int32_t b) {
  return static_cast<uint64_t>(a) << 32 | static_cast<uint32_t>(b);
}

[[noreturn]] void bad_merge(const std::filesystem::path& path, size_t line) {
  throw BundleError("tokenizer merges " + path.string() + " line " + std::to_string(line) +
                    ": expected two known symbols and one space between them; export the bundle "
                    "again with `vocabseg export`");
}

}  // namespace

struct Tokenizer::Impl {
  ByteSymbols bytes;
  std::unordered_map<std::string, int32_t> id_of_symbol;
  std::unordered_map<uint64_t, Merge> merges;
  int32_t start = 0;
  int context_length = 0;

  int32_t end() const { return start + 1; }

  void load(const std::filesystem::path& path) {
    for (int32_t id = 0; id < kByteSymbols; ++id) {
      id_of_symbol[bytes.name[id]] = id;
      id_of_symbol[bytes.name[id] + std::string(kWordEnd)] = kByteSymbols + id;
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) throw BundleError("cannot read tokenizer merges " + path.string());
    std::vector<std::pair<std::string, std::string>> pairs;
    for (std::string line; std::getline(file, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      const size_t space = line.find(' ');
      if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
        bad_merge(path, pairs.size() + 1);
      }
      pairs.emplace_back(line.substr(0, space), line.substr(space + 1));
    }
    add_merges(pairs, path);
    start = 2 * kByteSymbols + static_cast<int32_t>(pairs.size());
  }

  void add_merges(const std::vector<std::pair<std::string, std::string>>& pairs,
                  const std::filesystem::path& path) {
    int32_t next = 2 * kByteSymbols;
    for (const auto& [a, b] : pairs) id_of_symbol[a + b] = next++;
    for (size_t i = 0; i < pairs.size(); ++i) {
      const auto a = id_of_symbol.find(pairs[i].first), b = id_of_symbol.find(pairs[i].second);
      if (a == id_of_symbol.end() || b == id_of_symbol.end()) bad_merge(path, i + 1);
      merges[pair_key(a->second, b->second)] = {static_cast<int32_t>(i),
                                                id_of_symbol[pairs[i].first + pairs[i].second]};
    }
  }

  const Merge* find(int32_t a, int32_t b) const {
    const auto it = merges.find(pair_key(a, b));
    return it == merges.end() ? nullptr : &it->second;
  }

  // Merges the pair of lowest rank, everywhere, until no pair is left that has one.
  void merge_symbols(std::vector<int32_t>& word) const {
    while (word.size() > 1) {
      const Merge* best = nullptr;
      size_t first = 0;
      for (size_t i = 0; i + 1 < word.size(); ++i) {
        const Merge* merge = find(word[i], word[i + 1]);
        if (merge && (!best || merge->rank < best->rank)) best = merge, first = i;
      }
      if (!best) return;
      const int32_t a = word[first], b = word[first + 1];
      size_t kept = first;
      for (size_t i = first; i < word.size(); ++kept) {
        const bool merges_here = i + 1 < word.size() && word[i] == a && word[i + 1] == b;
        word[kept] = merges_here ? best->merged : word[i];
        i += merges_here ? 2 : 1;
      }
      word.resize(kept);
    }
  }

  void append_piece(std::u32string_view piece, std::vector<int64_t>& ids) const {
    if (piece == text::kStartOfText || piece == text::kEndOfText) {
      ids.push_back(piece == text::kStartOfText ? start : end());
      return;
    }
    std::vector<int32_t> word;
    for (const char byte : text::encode_utf8(piece)) {
      word.push_back(bytes.id_of_byte[static_cast<unsigned char>(byte)]);
    }
    word.back() += kByteSymbols;
    merge_symbols(word);
    ids.insert(ids.end(), word.begin(), word.end());
  }
};

Tokenizer::Tokenizer(const std::filesystem::path& merges, int context_length) {
  if (context_length < 2) {
    throw VocabularyError("tokenizer context length is " + std::to_string(context_length) +
                          ", expected at least 2 (start and end)");
  }
  auto impl = std::make_unique<Impl>();
  impl->context_length = context_length;
  impl->load(merges);
  impl_ = std::move(impl);
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::vector<int64_t> Tokenizer::encode(std::string_view text) const {
  const std::u32string clean = text::clean(text);
  std::vector<int64_t> ids;
  for (std::u32string_view piece : text::split_pieces(clean)) impl_->append_piece(piece, ids);
  return ids;
}

std::vector<int64_t> Tokenizer::encode_row(std::string_view text) const {
  const std::vector<int64_t> ids = encode(text);
  std::vector<int64_t> row(static_cast<size_t>(impl_->context_length), 0);
  const size_t n = std::min(ids.size(), row.size() - 2);
  row[0] = impl_->start;
  std::copy_n(ids.begin(), n, row.begin() + 1);
  row[n + 1] = impl_->end();
  return row;
}

int Tokenizer::context_length() const { return impl_->context_length; }
int Tokenizer::vocab_size() const { return impl_->end() + 1; }

}  // namespace vocabseg
