#include "text/fix_text.hpp"

#include <algorithm>
#include <iterator>

#include "text/charmaps.hpp"
#include "text/html.hpp"
#include "text/unicode.hpp"

namespace vocabseg::text {
namespace {

struct Ligature {
  char32_t from;
  std::u32string_view to;
};

constexpr Ligature kLigatures[] = {
    {U'\u0132', U"IJ"},      {U'\u0133', U"ij"}, {U'\u0149', U"\u02BCn"}, {U'\u01F1', U"DZ"},
    {U'\u01F2', U"Dz"},      {U'\u01F3', U"dz"}, {U'\u01C4', U"D\u017D"}, {U'\u01C5', U"D\u017E"},
    {U'\u01C6', U"d\u017E"}, {U'\u01C7', U"LJ"}, {U'\u01C8', U"Lj"},      {U'\u01C9', U"lj"},
    {U'\u01CA', U"NJ"},      {U'\u01CB', U"Nj"}, {U'\u01CC', U"nj"},      {U'\uFB00', U"ff"},
    {U'\uFB01', U"fi"},      {U'\uFB02', U"fl"}, {U'\uFB03', U"ffi"},     {U'\uFB04', U"ffl"},
    {U'\uFB05', U"\u017Ft"}, {U'\uFB06', U"st"},
};

std::u32string fix_ligatures(std::u32string_view text) {
  std::u32string out;
  for (char32_t c : text) {
    const auto* it = std::find_if(std::begin(kLigatures), std::end(kLigatures),
                                  [c](const Ligature& l) { return l.from == c; });
    if (it != std::end(kLigatures)) {
      out += it->to;
    } else {
      out += c;
    }
  }
  return out;
}

// One to one replacements: C1 controls by their Windows-1252 meaning, curly quotes by straight
// ones.
char32_t fix_c1_control(char32_t c) {
  return c >= 0x80 && c <= 0x9F ? windows_1252(static_cast<unsigned char>(c)) : c;
}

char32_t uncurl_quote(char32_t c) {
  if (c == 0x2BC || (c >= 0x2018 && c <= 0x201B)) return U'\'';
  if (c >= 0x201C && c <= 0x201F) return U'"';
  return c;
}

std::u32string fix_line_breaks(std::u32string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c == U'\r' && i + 1 < text.size() && text[i + 1] == U'\n') continue;
    const bool is_break = c == U'\r' || c == 0x2028 || c == 0x2029 || c == 0x85;
    out += is_break ? U'\n' : c;
  }
  return out;
}

bool is_high_surrogate(char32_t c) { return c >= 0xD800 && c <= 0xDBFF; }
bool is_low_surrogate(char32_t c) { return c >= 0xDC00 && c <= 0xDFFF; }

std::u32string fix_surrogates(std::u32string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (is_high_surrogate(c) && i + 1 < text.size() && is_low_surrogate(text[i + 1])) {
      out += 0x10000 + ((c - 0xD800) << 10) + (text[++i] - 0xDC00);
    } else {
      out += is_high_surrogate(c) || is_low_surrogate(c) ? U'\uFFFD' : c;
    }
  }
  return out;
}

// Length of the ANSI escape sequence at the start of the text, such as "\033[1;31m", or 0.
size_t terminal_escape(std::u32string_view text) {
  if (text.substr(0, 2) != U"\033[") return 0;
  size_t i = 2;
  while (i < text.size() && ((text[i] >= U'0' && text[i] <= U'9') || text[i] == U';')) ++i;
  if (i == text.size()) return 0;
  const char32_t letter = text[i] | 0x20;
  return letter >= U'a' && letter <= U'z' ? i + 1 : 0;
}

std::u32string remove_terminal_escapes(std::u32string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    if (const size_t n = terminal_escape(text.substr(i))) {
      i += n;
    } else {
      out += text[i++];
    }
  }
  return out;
}

bool is_unwanted_control(char32_t c) {
  return c <= 0x08 || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
         (c >= 0x206A && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

std::u32string fix_once(std::u32string text, bool unescape) {
  if (unescape) text = html_unescape_strict(text);
  text = fix_encoding(std::move(text));
  std::transform(text.begin(), text.end(), text.begin(), fix_c1_control);
  text = fix_width(fix_ligatures(text));
  std::transform(text.begin(), text.end(), text.begin(), uncurl_quote);
  text = remove_terminal_escapes(fix_surrogates(fix_line_breaks(text)));
  text.erase(std::remove_if(text.begin(), text.end(), is_unwanted_control), text.end());
  return nfc(text);
}

}  // namespace

std::u32string fix_text(std::u32string_view text) {
  std::u32string out;
  bool unescape = true;
  for (size_t begin = 0; begin < text.size();) {
    const size_t line_break = text.find(U'\n', begin);
    const size_t end = line_break == std::u32string_view::npos ? text.size() : line_break + 1;
    std::u32string line(text.substr(begin, end - begin));
    // A "<" means that the text is HTML itself; from there on its references stay.
    if (line.find(U'<') != std::u32string::npos) unescape = false;
    for (std::u32string before; before != line;) {
      before = line;
      line = fix_once(std::move(line), unescape);
    }
    out += line;
    begin = end;
  }
  return out;
}

}  // namespace vocabseg::text
