#include "text/unicode.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace vocabseg::text {
namespace {

struct Range {
  uint32_t first, last;
};
struct Mapping {
  uint32_t from, to;
};
struct Combining {
  uint32_t first, last, order;
};
struct Decomposition {
  uint32_t composed, first, second;
};
struct Composition {
  uint32_t first, second, composed;
};

#include "text/unicode_tables.inc"

// The entry whose [first, last] holds c, or null.
template <class Entry, size_t n>
const Entry* find_range(const Entry (&table)[n], char32_t c) {
  const auto* it = std::upper_bound(std::begin(table), std::end(table), c,
                                    [](char32_t v, const Entry& e) { return v < e.first; });
  return it != std::begin(table) && c <= std::prev(it)->last ? std::prev(it) : nullptr;
}

template <size_t n>
char32_t map(const Mapping (&table)[n], char32_t c) {
  const auto* it = std::lower_bound(std::begin(table), std::end(table), c,
                                    [](const Mapping& e, char32_t v) { return e.from < v; });
  return it != std::end(table) && it->from == c ? it->to : c;
}

uint32_t combining_class(char32_t c) {
  const Combining* entry = find_range(kCombiningClasses, c);
  return entry ? entry->order : 0;
}

// Hangul syllables are composed by arithmetic (Unicode Standard, section 3.12).
constexpr char32_t kSBase = 0xAC00, kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7;
constexpr char32_t kLCount = 19, kVCount = 21, kTCount = 28, kSCount = kLCount * kVCount * kTCount;

void append_decomposed(char32_t c, std::u32string& out) {
  if (c >= kSBase && c < kSBase + kSCount) {
    const char32_t s = c - kSBase;
    out += kLBase + s / (kVCount * kTCount);
    out += kVBase + s % (kVCount * kTCount) / kTCount;
    if (s % kTCount) out += kTBase + s % kTCount;
    return;
  }
  const auto* it =
      std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), c,
                       [](const Decomposition& e, char32_t v) { return e.composed < v; });
  if (it == std::end(kDecompositions) || it->composed != c) {
    out += c;
    return;
  }
  append_decomposed(it->first, out);
  if (it->second) append_decomposed(it->second, out);
}

// The composition of a and b, or 0.
char32_t compose(char32_t a, char32_t b) {
  if (a >= kLBase && a < kLBase + kLCount && b >= kVBase && b < kVBase + kVCount) {
    return kSBase + ((a - kLBase) * kVCount + (b - kVBase)) * kTCount;
  }
  if (a >= kSBase && a < kSBase + kSCount && (a - kSBase) % kTCount == 0 && b > kTBase &&
      b < kTBase + kTCount) {
    return a + (b - kTBase);
  }
  const auto* it = std::lower_bound(
      std::begin(kCompositions), std::end(kCompositions), a,
      [b](const Composition& e, char32_t v) { return e.first != v ? e.first < v : e.second < b; });
  return it != std::end(kCompositions) && it->first == a && it->second == b ? it->composed : 0;
}

std::u32string decompose(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (char32_t c : text) append_decomposed(c, out);
  for (auto it = out.begin(); it != out.end();) {
    if (combining_class(*it) == 0) {
      ++it;
      continue;
    }
    const auto end = std::find_if(it, out.end(), [](char32_t c) { return !combining_class(c); });
    std::stable_sort(
        it, end, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    it = end;
  }
  return out;
}

// Whether the capital sigma at i ends a word (Unicode's Final_Sigma condition).
bool is_final_sigma(std::u32string_view text, size_t i) {
  const auto cased_after_ignorable = [](auto it, auto end) {
    it = std::find_if(it, end, [](char32_t c) { return !find_range(kCaseIgnorable, c); });
    return it != end && find_range(kCased, *it);
  };
  const auto here = text.begin() + static_cast<std::ptrdiff_t>(i);
  return cased_after_ignorable(std::make_reverse_iterator(here), text.rend()) &&
         !cased_after_ignorable(here + 1, text.end());
}

}  // namespace

bool is_letter(char32_t c) { return find_range(kLetters, c); }
bool is_number(char32_t c) { return find_range(kNumbers, c); }
bool is_skipped(char32_t c) { return find_range(kSkipped, c); }
bool is_space(char32_t c) { return find_range(kSpaces, c); }

std::u32string lower(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == U'\u0130') {
      out += U"i\u0307";
    } else if (text[i] == U'\u03A3') {
      out += is_final_sigma(text, i) ? U'\u03C2' : U'\u03C3';
    } else {
      out += map(kLower, text[i]);
    }
  }
  return out;
}

std::u32string nfc(std::u32string_view text) {
  std::u32string out = decompose(text);
  size_t length = 0;
  size_t starter = std::u32string::npos;  // where the last starter was written
  uint32_t last_class = 0;                // class of the last character that was kept after it
  for (const char32_t c : out) {
    const uint32_t order = combining_class(c);
    const bool adjacent = starter != std::u32string::npos && length == starter + 1;
    if (starter != std::u32string::npos && (adjacent || last_class < order)) {
      if (const char32_t composed = compose(out[starter], c)) {
        out[starter] = composed;
        continue;
      }
    }
    if (order == 0) starter = length;
    last_class = order;
    out[length++] = c;
  }
  out.resize(length);
  return out;
}

std::u32string strip(std::u32string_view text) {
  const auto is_word = [](char32_t c) { return !is_space(c); };
  const auto first = std::find_if(text.begin(), text.end(), is_word);
  const auto last = std::find_if(text.rbegin(), std::make_reverse_iterator(first), is_word).base();
  return {first, last};
}

std::u32string join_words(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  bool gap = false;
  for (char32_t c : text) {
    if (is_space(c)) {
      gap = true;
      continue;
    }
    if (gap && !out.empty()) out += U' ';
    gap = false;
    out += c;
  }
  return out;
}

std::u32string fix_width(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (char32_t c : text) {
    if (c == U'\uFFE3') {
      out += U" \u0304";
    } else {
      out += map(kWidthForms, c);
    }
  }
  return out;
}

}  // namespace vocabseg::text
