// Single-byte encodings by which text is wrongly decoded most often.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vocabseg::text {

// In the order in which they are tried. The Windows ones map unassigned bytes to themselves, and
// byte 0x1A stands for U+FFFD in them ("sloppy" in ftfy's terms).
enum class Charmap {
  kLatin1,
  kWindows1252,
  kWindows1251,
  kWindows1250,
  kWindows1253,
  kWindows1254,
  kWindows1257,
  kIso8859_2,
  kMacRoman,
  kCp437,
};
constexpr int kCharmapCount = 10;

bool is_sloppy(Charmap charmap);

// The bytes of the text, or nothing if the encoding has no byte for one of its characters.
std::optional<std::string> encode(Charmap charmap, std::u32string_view text);

// The character of a byte; C1 controls that Windows leaves unassigned stay what they are.
char32_t windows_1252(unsigned char byte);

}  // namespace vocabseg::text
