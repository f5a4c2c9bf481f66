// HTML character references, decoded as Python's html.unescape and as ftfy do.
#pragma once

#include <string>
#include <string_view>

namespace vocabseg::text {

// html.unescape: the rules of HTML5, names without a semicolon included.
std::u32string html_unescape(std::u32string_view text);

// ftfy's unescape_html: only references that end in a semicolon, plus upper-cased names.
std::u32string html_unescape_strict(std::u32string_view text);

}  // namespace vocabseg::text
