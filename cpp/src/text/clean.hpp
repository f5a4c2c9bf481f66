#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vocabseg::text {

// open_clip's clean("lower"): fix_text, html.unescape twice, white space to single spaces, lower.
std::u32string clean(std::string_view utf8);

// The pieces that CLIP's pattern finds in clean text: contractions, runs of letters, single
// numbers, runs of other symbols, and the two special tokens.
std::vector<std::u32string_view> split_pieces(std::u32string_view text);

constexpr std::u32string_view kStartOfText = U"<start_of_text>";
constexpr std::u32string_view kEndOfText = U"<end_of_text>";

}  // namespace vocabseg::text
