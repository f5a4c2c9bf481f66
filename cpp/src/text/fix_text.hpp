// Text repair equal to ftfy.fix_text 6.3 with its defaults, which open_clip applies before
// tokenizing.
#pragma once

#include <string>
#include <string_view>

namespace vocabseg::text {

// Undoes mojibake: UTF-8 that was decoded as a single-byte encoding.
std::u32string fix_encoding(std::u32string text);

// The whole repair: entities, mojibake, ligatures, widths, quotes, line breaks, control characters
// and NFC, line by line, until nothing changes.
std::u32string fix_text(std::u32string_view text);

}  // namespace vocabseg::text
