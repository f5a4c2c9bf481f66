#include "kernels/mask_pooling/rle.h"

#include <limits>
#include <string>

#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr int kFirst = 48;     // '0'
constexpr int kMore = 0x20;    // another group follows
constexpr int kSign = 0x10;    // in the last group: the number is negative
constexpr int kMaxGroups = 7;  // 35 bits hold every difference of 32-bit counts

[[noreturn]] void bad_code(size_t position, const char* what) {
  throw MaskError("run-length code is not valid at character " + std::to_string(position) + ": " +
                  what + "; expected the compressed string that COCO tools write");
}

// Reads the number at `position`, which moves behind it.
int64_t read_number(std::string_view code, size_t& position) {
  int64_t value = 0;
  for (int group = 0; group < kMaxGroups; ++group) {
    if (position == code.size()) bad_code(position, "it ends within a number");
    const int bits = static_cast<unsigned char>(code[position]) - kFirst;
    if (bits < 0 || bits > 63) bad_code(position, "no character of such a code");
    ++position;
    value |= int64_t{bits & 0x1f} << (5 * group);
    if (bits & kMore) continue;
    return bits & kSign ? value - (int64_t{1} << (5 * (group + 1))) : value;
  }
  bad_code(position, "a number is too long");
}

void write_number(int64_t value, std::string& code) {
  for (bool more = true; more;) {
    const int bits = static_cast<int>(value & 0x1f);
    value >>= 5;
    more = value != (bits & kSign ? -1 : 0);
    code.push_back(static_cast<char>(kFirst + bits + (more ? kMore : 0)));
  }
}

}  // namespace

RleCounts decode_rle(std::string_view code) {
  RleCounts counts;
  for (size_t position = 0; position < code.size();) {
    const size_t start = position, i = counts.size();
    int64_t value = read_number(code, position);
    if (i > 2) value += counts[i - 2];
    if (value < 0 || value > std::numeric_limits<uint32_t>::max()) {
      bad_code(start, "a run is negative or over 32 bits");
    }
    counts.push_back(static_cast<uint32_t>(value));
  }
  return counts;
}

std::string encode_rle(const RleCounts& counts) {
  std::string code;
  for (size_t i = 0; i < counts.size(); ++i) {
    write_number(i > 2 ? int64_t{counts[i]} - counts[i - 2] : counts[i], code);
  }
  return code;
}

RleCounts rle_from_mask(const uint8_t* mask, int h, int w) {
  RleCounts counts;
  bool inside = false;
  uint32_t run = 0;
  for (int x = 0; x < w; ++x) {
    for (int y = 0; y < h; ++y) {
      if ((mask[int64_t{y} * w + x] != 0) != inside) {
        counts.push_back(run);
        run = 0;
        inside = !inside;
      }
      ++run;
    }
  }
  counts.push_back(run);
  return counts;
}

}  // namespace vocabseg::kernels
