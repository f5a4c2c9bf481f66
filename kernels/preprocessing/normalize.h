// Pixels to network input.
#pragma once

#include <cstdint>

namespace vocabseg::kernels {

// to[i] = (from[i] - mean) / std. Both arrays are readable and writable to a multiple of 64.
void normalize_row(const uint8_t* from, int64_t count, float mean, float std, float* to);

}  // namespace vocabseg::kernels
