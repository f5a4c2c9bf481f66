// The parts of Unicode that CLIP's tokenizer needs, with the results of Python's str and
// unicodedata.
#pragma once

#include <string>
#include <string_view>

namespace vocabseg::text {

// Bytes that are not UTF-8 become U+FFFD; encoded surrogates are kept, for fix_text to pair.
std::u32string decode_utf8(std::string_view bytes);
std::string encode_utf8(std::u32string_view text);
void append_utf8(char32_t c, std::string& out);

bool is_letter(char32_t c);   // \p{L}
bool is_number(char32_t c);   // \p{N}
bool is_skipped(char32_t c);  // matches no class of CLIP's pattern: white space and U+0345
bool is_space(char32_t c);    // str.isspace

std::u32string lower(std::u32string_view text);       // str.lower
std::u32string nfc(std::u32string_view text);         // unicodedata.normalize("NFC", text)
std::u32string strip(std::u32string_view text);       // str.strip
std::u32string join_words(std::u32string_view text);  // " ".join(text.split())

// Fullwidth and halfwidth forms to their usual form; the others to themselves.
std::u32string fix_width(std::u32string_view text);

}  // namespace vocabseg::text
