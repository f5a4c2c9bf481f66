#include "kernels/mask_pooling/rle.h"

#include <limits>

#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr int kMaxShift = 30;  // seven groups hold any difference of two 32-bit counts

// Reads the number at `text[at]` and moves `at` behind it.
int64_t read_number(std::string_view text, size_t& at) {
  int64_t value = 0;
  for (int shift = 0; at < text.size(); shift += 5) {
    const int group = static_cast<unsigned char>(text[at++]) - '0';
    if (group < 0 || group > 63) {
      throw MaskError("compressed counts hold characters that no run-length code has");
    }
    if (shift > kMaxShift) throw MaskError("compressed counts hold a number beyond 32 bits");
    value |= int64_t{group & 0x1F} << shift;
    if (group & 0x20) continue;
    return group & 0x10 ? value - (int64_t{1} << (shift + 5)) : value;
  }
  throw MaskError("compressed counts end in the middle of a number");
}

}  // namespace

std::vector<uint32_t> decompress(std::string_view text) {
  std::vector<uint32_t> counts;
  for (size_t at = 0; at < text.size();) {
    int64_t count = read_number(text, at);
    if (counts.size() > 2) count += counts[counts.size() - 2];
    if (count < 0 || count > std::numeric_limits<uint32_t>::max()) {
      throw MaskError("run lengths must be between 0 and " +
                      std::to_string(std::numeric_limits<uint32_t>::max()));
    }
    counts.push_back(static_cast<uint32_t>(count));
  }
  return counts;
}

}  // namespace vocabseg::kernels
