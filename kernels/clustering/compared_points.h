// Points made ready to be compared with each other through float32 products.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

// Points are compared block by block; the bits of a block fill whole words.
constexpr int64_t kBlock = 128;
// Products that are added up in one chain before such sums are added up.
constexpr int64_t kChain = 256;

// The largest |value|; infinity or NaN if there is such a value.
float largest_magnitude(const float* values, int64_t n);

struct ComparedPoints {
  // For finite points of d coordinates. All but the norms, which need products.
  ComparedPoints(const std::vector<const float*>& points, int64_t d, float limit, ThreadPool& pool);

  // Sets `low` and `high` from |a|^2 of the scaled points about the mean.
  void set_norms(const std::vector<float>& norms);

  int64_t size() const { return static_cast<int64_t>(points.size()); }

  const std::vector<const float*>& points;
  int64_t d;
  double limit;             // of squared distances
  float scale;              // a power of two that makes coordinates at most 4
  std::vector<float> mean;  // scaled
  float half_limit;         // limit / 2, scaled
  // With a, b scaled and about the mean: near if a.b >= high_a + high_b - half_limit, not near if
  // a.b < low_a + low_b - half_limit, else too close to tell. Infinite from the last point to the
  // end of its block.
  std::vector<float> low, high;
};

}  // namespace vocabseg::kernels
