#include "text/clean.hpp"

#include <algorithm>
#include <iterator>

#include "text/fix_text.hpp"
#include "text/html.hpp"
#include "text/unicode.hpp"

namespace vocabseg::text {
namespace {

constexpr std::u32string_view kFixedPieces[] = {kStartOfText, kEndOfText, U"'s",  U"'t", U"'re",
                                                U"'ve",       U"'m",      U"'ll", U"'d"};

// The pattern ignores case; in lower-case text only the long s is left that folds to another
// letter.
char32_t fold(char32_t c) { return c == U'\u017F' ? U's' : c; }

bool starts_with(std::u32string_view text, std::u32string_view prefix) {
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(),
                    [](char32_t a, char32_t b) { return a == fold(b); });
}

bool is_symbol(char32_t c) { return !is_skipped(c) && !is_letter(c) && !is_number(c); }

// Length of the piece at the start of the text; 0 if the pattern does not match there.
size_t piece_length(std::u32string_view text) {
  for (std::u32string_view piece : kFixedPieces) {
    if (starts_with(text, piece)) return piece.size();
  }
  if (is_number(text[0])) return 1;
  const auto run = [text](bool (*predicate)(char32_t)) {
    return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), predicate) -
                               text.begin());
  };
  return is_letter(text[0]) ? run(is_letter) : run(is_symbol);
}

}  // namespace

std::u32string clean(std::string_view utf8) {
  const std::u32string fixed = fix_text(decode_utf8(utf8));
  return lower(join_words(html_unescape(html_unescape(fixed))));
}

std::vector<std::u32string_view> split_pieces(std::u32string_view text) {
  std::vector<std::u32string_view> pieces;
  while (!text.empty()) {
    const size_t n = piece_length(text);
    if (n > 0) pieces.push_back(text.substr(0, n));
    text.remove_prefix(std::max<size_t>(n, 1));
  }
  return pieces;
}

}  // namespace vocabseg::text
