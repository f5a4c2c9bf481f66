// COCO run-length codes of masks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vocabseg::kernels {

// Lengths of the runs of a mask that is read column by column: background first (its run may be 0),
// then mask, background, ... in turn.
using RleCounts = std::vector<uint32_t>;

// The compressed string of the COCO API: counts from the fourth on as differences to the count
// before the last, in groups of five bits, low first, each plus 48 as an ASCII character. decode
// throws MaskError on characters that are no such code, and on a code that ends early or leaves the
// 32-bit range.
RleCounts decode_rle(std::string_view code);
std::string encode_rle(const RleCounts& counts);

// The code of a mask [h, w] of bytes (non-zero: inside).
RleCounts rle_from_mask(const uint8_t* mask, int h, int w);

}  // namespace vocabseg::kernels
