// When a bound rules a query out.
#pragma once

#include <cmath>
#include <limits>

namespace vocabseg::kernels {

// A query whose scores are all below this, at the patches of a tile, has a smaller float32 value at
// every pixel than a query whose scores there are all `lowest` or more. `taps`: multiplications per
// value along both axes.
inline float below(float lowest, int taps) {
  const float rounding = 4 * static_cast<float>(taps + 2) * 0x1p-24f;
  return lowest - rounding * std::abs(lowest) - 0x1p-100f;
}

}  // namespace vocabseg::kernels
