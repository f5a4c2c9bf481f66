// Which points lie near each other, without a matrix of distances.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

// A square matrix of bits, rows in whole words; bits beyond the last column are 0.
struct BitMatrix {
  int64_t words = 0;  // of a row
  std::vector<uint64_t> bits;

  const uint64_t* row(int64_t i) const { return bits.data() + i * words; }
};

// Bit (i, j): the squared distance of the points i and j, of d finite coordinates each, is at most
// `limit` >= 0.
//
// |a - b|^2 = |a|^2 + |b|^2 - 2 a.b is computed in float32, about the points' mean, and a bound on
// its error tells which comparisons it settles. The others are settled by the sum of
// squared differences in float64, so they all come out as if by that sum, which has a relative
// error of less than (d + 2) * 2^-53.
BitMatrix neighbours(const std::vector<const float*>& points, int64_t d, float limit,
                     ThreadPool& pool);

}  // namespace vocabseg::kernels
