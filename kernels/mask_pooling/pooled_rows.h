// Weighted sums of feature rows, for weights that are mostly zero.
#pragma once

#include <cstdint>

namespace vocabseg::kernels {

// One row of a sparse matrix.
struct SparseWeights {
  const int32_t* index;
  const float* weight;
  int64_t size;
};

// Writes the index and value of the weights that are not zero; returns their number. `index` and
// `value` have room for `count` and 64 more.
int64_t compress_weights(const float* weights, int64_t count, int32_t* index, float* value);

// sum [d] = sum over i of weight[i] * features [index[i], d].
void sum_rows(const SparseWeights& weights, const float* features, int64_t d, float* sum);

bool all_finite(const float* values, int64_t size);

}  // namespace vocabseg::kernels
