#include "text/charmaps.hpp"

#include <algorithm>
#include <iterator>

namespace vocabseg::text {
namespace {

#include "text/charmaps.inc"

constexpr unsigned char kSubstitute = 0x1A;

}  // namespace

bool is_sloppy(Charmap charmap) {
  return charmap >= Charmap::kWindows1252 && charmap <= Charmap::kWindows1257;
}

std::optional<std::string> encode(Charmap charmap, std::u32string_view text) {
  const auto& upper = kCharmaps[static_cast<int>(charmap)];
  std::string bytes;
  bytes.reserve(text.size());
  for (const char32_t c : text) {
    if (c < 0x80 && !(is_sloppy(charmap) && c == kSubstitute)) {
      bytes += static_cast<char>(c);
    } else if (is_sloppy(charmap) && c == U'\uFFFD') {
      bytes += static_cast<char>(kSubstitute);
    } else {
      const auto* it = std::find(std::begin(upper), std::end(upper), c);
      if (it == std::end(upper)) return std::nullopt;
      bytes += static_cast<char>(0x80 + (it - std::begin(upper)));
    }
  }
  return bytes;
}

char32_t windows_1252(unsigned char byte) {
  return byte < 0x80 ? byte : kCharmaps[static_cast<int>(Charmap::kWindows1252)][byte - 0x80];
}

}  // namespace vocabseg::text
