// COCO's text form of run lengths.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace vocabseg::kernels {

// Run lengths from text. From the fourth on, a count is written as its difference to the count
// before the last; a number is groups of five bits, low first, a sixth bit says that more follow,
// and each group is a character from '0'. Throws MaskError where it is no such code, or a count
// does not fit.
std::vector<uint32_t> decompress(std::string_view text);

}  // namespace vocabseg::kernels
