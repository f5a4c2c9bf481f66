#include "feature_map.hpp"

#include <algorithm>
#include <cmath>

namespace vocabseg {
namespace {

// Adds the window feature at (row index i, column index j) of the axis weights.
void add_patch(const float* features, const kernels::AxisWeights& rows,
               const kernels::AxisWeights& cols, int i, int j, float weight, int dim, double* sum) {
  const int64_t window = int64_t{i / rows.grid} * cols.windows + j / cols.grid;
  const int64_t patch = int64_t{i % rows.grid} * cols.grid + j % cols.grid;
  const float* feature = features + (window * rows.grid * cols.grid + patch) * dim;
  for (int d = 0; d < dim; ++d) sum[d] += double{weight} * feature[d];
}

void store_unit(const std::vector<double>& sum, float* out) {
  double square = 0;
  for (const double value : sum) square += value * value;
  const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
  std::transform(sum.begin(), sum.end(), out,
                 [scale](double value) { return static_cast<float>(value * scale); });
}

}  // namespace

FeatureMap merge_windows(const float* features, const kernels::WindowPlan& plan, int patch_size,
                         int dim, kernels::ThreadPool& pool) {
  FeatureMap map;
  map.height = std::max(1, plan.net_h / patch_size);
  map.width = std::max(1, plan.net_w / patch_size);
  map.dim = dim;
  map.features.resize(size_t(map.height) * size_t(map.width) * size_t(dim));
  const kernels::AxisWeights rows = kernels::row_weights(plan, map.height);
  const kernels::AxisWeights cols = kernels::col_weights(plan, map.width);
  pool.parallel_for(int64_t{map.height} * map.width, [&](int64_t begin, int64_t end) {
    std::vector<double> sum(static_cast<size_t>(dim));
    for (int64_t cell = begin; cell < end; ++cell) {
      const int64_t y = cell / map.width, x = cell % map.width;
      std::fill(sum.begin(), sum.end(), 0.0);
      for (int k = rows.offset[y]; k < rows.offset[y + 1]; ++k) {
        for (int l = cols.offset[x]; l < cols.offset[x + 1]; ++l) {
          add_patch(features, rows, cols, rows.index[k], cols.index[l],
                    rows.weight[k] * cols.weight[l], dim, sum.data());
        }
      }
      store_unit(sum, map.features.data() + cell * dim);
    }
  });
  return map;
}

}  // namespace vocabseg
