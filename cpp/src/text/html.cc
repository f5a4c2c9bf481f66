#include "text/html.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

#include "text/charmaps.hpp"
#include "text/unicode.hpp"

namespace vocabseg::text {
namespace {

struct Entity {
  std::string_view name, value;
};

#include "text/html_entities.inc"

constexpr size_t kLongestName = 32;        // of html.unescape's pattern
constexpr size_t kLongestStrictName = 24;  // of ftfy's pattern

template <size_t n>
std::optional<std::u32string> find(const Entity (&table)[n], std::string_view name) {
  const auto* it = std::lower_bound(std::begin(table), std::end(table), name,
                                    [](const Entity& e, std::string_view v) { return e.name < v; });
  if (it == std::end(table) || it->name != name) return std::nullopt;
  return decode_utf8(it->value);
}

bool is_digit(char32_t c) { return c >= U'0' && c <= U'9'; }
bool is_hex(char32_t c) {
  return is_digit(c) || (c >= U'a' && c <= U'f') || (c >= U'A' && c <= U'F');
}
bool is_alphanumeric(char32_t c) {
  return is_digit(c) || (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z');
}
bool is_name(char32_t c) {
  return std::u32string_view(U"\t\n\f <&#;").find(c) == std::u32string_view::npos;
}

// Code points that HTML5 forbids; html.unescape drops them.
bool is_invalid(char32_t c) {
  return (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F ||
         (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
}

std::u32string numeric_reference(char32_t value) {
  if (value == 0 || (value >= 0xD800 && value <= 0xDFFF) || value > 0x10FFFF) return U"\uFFFD";
  if (value >= 0x80 && value <= 0x9F) return {windows_1252(static_cast<unsigned char>(value))};
  if (is_invalid(value)) return {};
  return {value};
}

template <class Predicate>
size_t run_length(std::u32string_view text, Predicate predicate) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), predicate) - text.begin());
}

struct Match {
  size_t length = 0;  // characters of the reference, "&" included; 0: none starts here
  std::u32string value;
};

Match with_semicolon(std::u32string_view text, size_t length, std::u32string value) {
  if (length < text.size() && text[length] == U';') ++length;
  return {length, std::move(value)};
}

// text starts with "&#".
Match match_number(std::u32string_view text) {
  const bool hex = text.size() > 2 && (text[2] == U'x' || text[2] == U'X');
  const size_t start = hex ? 3 : 2;
  const size_t digits = run_length(text.substr(start), hex ? is_hex : is_digit);
  if (digits == 0) return {};
  char32_t value = 0;
  for (char32_t c : text.substr(start, digits)) {
    const char32_t digit = is_digit(c) ? c - U'0' : (c | 0x20) - U'a' + 10;
    value = std::min<char32_t>(value * (hex ? 16 : 10) + digit, 0x110000);
  }
  return with_semicolon(text, start + digits, numeric_reference(value));
}

// text starts with "&". The longest prefix that is a name counts; the rest stays as it is.
Match match_name(std::u32string_view text) {
  size_t length = std::min(run_length(text.substr(1), is_name), kLongestName);
  if (length == 0) return {};
  if (1 + length < text.size() && text[1 + length] == U';') ++length;
  const std::string name = encode_utf8(text.substr(1, length));
  if (auto value = find(kEntities, name)) return {1 + length, std::move(*value)};
  for (size_t prefix = length - 1; prefix > 1; --prefix) {
    const std::string shorter = encode_utf8(text.substr(1, prefix));
    if (auto value = find(kEntities, shorter)) return {1 + prefix, std::move(*value)};
  }
  return {1 + length, std::u32string(text.substr(0, 1 + length))};
}

Match match_reference(std::u32string_view text) {
  return text.size() > 1 && text[1] == U'#' ? match_number(text) : match_name(text);
}

Match match_strict(std::u32string_view text) {
  const size_t start = text.size() > 1 && text[1] == U'#' ? 2 : 1;
  const size_t letters = run_length(text.substr(start), is_alphanumeric);
  const size_t length = start + letters + 1;
  if (letters == 0 || letters > kLongestStrictName || length > text.size() ||
      text[length - 1] != U';') {
    return {};
  }
  const std::u32string_view whole = text.substr(0, length);
  if (start == 2) {
    std::u32string value = html_unescape(whole);
    // What still has a semicolon was not decoded as a whole.
    if (value.find(U';') != std::u32string::npos) value = whole;
    return {length, std::move(value)};
  }
  const std::string name = encode_utf8(whole.substr(1));
  if (auto value = find(kEntities, name)) return {length, std::move(*value)};
  if (auto value = find(kUpperCasedEntities, name)) return {length, std::move(*value)};
  return {length, std::u32string(whole)};
}

template <class Matcher>
std::u32string replace(std::u32string_view text, Matcher matcher) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    Match match;
    if (text[i] == U'&') match = matcher(text.substr(i));
    if (match.length == 0) {
      out += text[i++];
    } else {
      out += match.value;
      i += match.length;
    }
  }
  return out;
}

}  // namespace

std::u32string html_unescape(std::u32string_view text) { return replace(text, match_reference); }

std::u32string html_unescape_strict(std::u32string_view text) {
  return replace(text, match_strict);
}

}  // namespace vocabseg::text
