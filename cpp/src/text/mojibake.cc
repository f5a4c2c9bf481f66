#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "text/charmaps.hpp"
#include "text/fix_text.hpp"
#include "text/unicode.hpp"

namespace vocabseg::text {
namespace {

enum class Category { kNone, kSpace, kWord };

struct CharacterClass {
  Category category;
  std::vector<std::pair<uint32_t, uint32_t>> ranges;
};

struct Alternative {
  bool at_start;
  std::vector<int> classes;
};

using Pattern = std::vector<Alternative>;

#include "text/mojibake_tables.inc"

bool contains(const CharacterClass& set, char32_t c) {
  if (set.category == Category::kSpace) return is_space(c);
  if (set.category == Category::kWord) return is_letter(c) || is_number(c) || c == U'_';
  return std::any_of(set.ranges.begin(), set.ranges.end(),
                     [c](const auto& range) { return range.first <= c && c <= range.second; });
}

char32_t code(char32_t c) { return c; }
char32_t code(char c) { return static_cast<unsigned char>(c); }

// Length of the first alternative that matches at position i, or 0. Text is characters or bytes.
template <class Text>
size_t match_at(const Pattern& pattern, const Text& text, size_t i) {
  for (const Alternative& alternative : pattern) {
    const size_t n = alternative.classes.size();
    if (i + n > text.size() || (alternative.at_start && i > 0)) continue;
    size_t k = 0;
    while (k < n && contains(kClasses[alternative.classes[k]], code(text[i + k]))) ++k;
    if (k == n) return n;
  }
  return 0;
}

// Each match replaced by what `replacement` makes of it.
template <class Text, class Replacement>
Text substitute(const Pattern& pattern, const Text& text, Replacement replacement) {
  Text out;
  for (size_t i = 0; i < text.size();) {
    if (const size_t n = match_at(pattern, text, i)) {
      out += replacement(text.substr(i, n));
      i += n;
    } else {
      out += text[i++];
    }
  }
  return out;
}

bool is_bad(std::u32string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (match_at(kBad, text, i)) return true;
  }
  return false;
}

bool is_ascii(std::u32string_view text) {
  return std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x80; });
}

// Byte C3 before a space is "à" whose no-break space became a space: a word of its own, so the
// space stays, unless a second space follows or it begins one of a few Portuguese words.
std::string restore_a_grave(const std::string& bytes) {
  static constexpr std::string_view kAttached[] = {" ", "quele", "quela", "quilo", "s "};
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    out += bytes[i];
    if (bytes.compare(i, 2, "\xC3 ") != 0) continue;
    const std::string_view next = std::string_view(bytes).substr(i + 2);
    const bool attached =
        std::any_of(std::begin(kAttached), std::end(kAttached),
                    [next](std::string_view word) { return next.substr(0, word.size()) == word; });
    if (!attached) out += '\xA0';
  }
  return out;
}

std::string restore_no_break_spaces(const std::string& bytes) {
  return substitute(kAlteredUtf8, restore_a_grave(bytes), [](std::string match) {
    std::replace(match.begin(), match.end(), ' ', '\xA0');
    return match;
  });
}

bool has_altered_utf8(const std::string& bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (match_at(kAlteredUtf8, bytes, i)) return true;
  }
  return false;
}

std::string mark_lossy_sequences(const std::string& bytes) {
  return substitute(kLossyUtf8, bytes, [](const std::string&) { return "\xEF\xBF\xBD"; });
}

// UTF-8, also with surrogate pairs in it (CESU-8) and Java's two-byte null; nothing if invalid.
std::optional<std::u32string> decode_utf8_variants(const std::string& bytes) {
  const bool variants = bytes.find_first_of("\xED\xC0") != std::string::npos;
  std::u32string text;
  for (size_t i = 0; i < bytes.size();) {
    if (variants && bytes.compare(i, 2, "\xC0\x80") == 0) {
      text += U'\0';
      i += 2;
      continue;
    }
    size_t n = 1;
    while (i + n < bytes.size() && (bytes[i + n] & 0xC0) == 0x80) ++n;
    const std::u32string one = decode_utf8(std::string_view(bytes).substr(i, n));
    if (one.size() != 1 || (one[0] == U'\uFFFD' && bytes.compare(i, n, "\xEF\xBF\xBD") != 0)) {
      return std::nullopt;
    }
    text += one;
    i += n;
  }
  std::u32string paired;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool high = text[i] >= 0xD800 && text[i] <= 0xDBFF;
    const bool low = i + 1 < text.size() && text[i + 1] >= 0xDC00 && text[i + 1] <= 0xDFFF;
    if (high && low && variants) {
      paired += 0x10000 + ((text[i] - 0xD800) << 10) + (text[i + 1] - 0xDC00);
      ++i;
    } else if (text[i] >= 0xD800 && text[i] <= 0xDFFF) {
      return std::nullopt;
    } else {
      paired += text[i];
    }
  }
  return paired;
}

std::optional<std::u32string> reinterpret_as_utf8(Charmap charmap, std::u32string_view text) {
  std::optional<std::string> bytes = encode(charmap, text);
  if (!bytes) return std::nullopt;
  // In MacRoman an en dash before a space would be taken for one of these.
  if (charmap != Charmap::kMacRoman && has_altered_utf8(*bytes)) {
    bytes = restore_no_break_spaces(*bytes);
  }
  if (is_sloppy(charmap)) bytes = mark_lossy_sequences(*bytes);
  return decode_utf8_variants(*bytes);
}

// Repairs runs that look like UTF-8 inside other text, each for itself.
std::u32string fix_embedded(const std::u32string& text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    if (i == 0 || !match_at(kContinuationStrict, text, i - 1)) {
      while (const size_t n = match_at(kUtf8Unit, text, end)) end += n;
    }
    if (end == i) {
      out += text[i++];
      continue;
    }
    const std::u32string run = text.substr(i, end - i);
    out += run.size() < text.size() && is_bad(run) ? fix_encoding(run) : run;
    i = end;
  }
  return out;
}

bool is_c1(char32_t c) { return c >= 0x80 && c <= 0x9F; }

// Latin-1 that was meant as Windows-1252; nothing where that has no character.
std::optional<std::u32string> latin1_to_windows_1252(std::u32string text) {
  for (char32_t& c : text) {
    if (c > 0xFF) return std::nullopt;
    const char32_t meant = windows_1252(static_cast<unsigned char>(c));
    if (is_c1(meant)) return std::nullopt;
    c = meant;
  }
  return text;
}

std::u32string fix_encoding_once(const std::u32string& text) {
  if (is_ascii(text) || !is_bad(text)) return text;
  for (int i = 0; i < kCharmapCount; ++i) {
    if (auto fixed = reinterpret_as_utf8(static_cast<Charmap>(i), text)) return *fixed;
  }
  if (std::u32string fixed = fix_embedded(text); fixed != text) return fixed;
  if (auto fixed = latin1_to_windows_1252(text); fixed && *fixed != text) return *fixed;
  std::u32string fixed = text;
  for (char32_t& c : fixed) {
    if (is_c1(c)) c = windows_1252(static_cast<unsigned char>(c));
  }
  return fixed;
}

}  // namespace

std::u32string fix_encoding(std::u32string text) {
  while (true) {
    std::u32string fixed = fix_encoding_once(text);
    if (fixed == text) return text;
    text = std::move(fixed);
  }
}

}  // namespace vocabseg::text
