#include "feature_map.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace vocabseg {
namespace {

struct Axis {
  const std::vector<int>& starts;
  int net, window, padded, pad, grid;
};

// Weights of the patches for `cells` cells along an axis: every window that holds the centre of a
// cell is sampled there, bilinearly between its patch centres, and the windows are averaged. Where
// the cell is a patch, the weight is on that patch alone.
kernels::AxisWeights cell_weights(const Axis& axis, int cells) {
  kernels::AxisWeights out;
  out.rows = cells;
  out.windows = static_cast<int>(axis.starts.size());
  out.grid = axis.grid;
  out.offset.push_back(0);
  for (int cell = 0; cell < cells; ++cell) {
    const double centre = (cell + 0.5) * axis.net / cells;  // from the frame's edge
    const auto holds = [&](int start) { return start <= centre && centre < start + axis.window; };
    const auto windows = std::count_if(axis.starts.begin(), axis.starts.end(), holds);
    for (int w = 0; w < out.windows; ++w) {
      if (!holds(axis.starts[w])) continue;
      const double in_window = centre - axis.starts[w] + axis.pad;
      const double patch = in_window * axis.grid / axis.padded - 0.5;
      const double clamped = std::clamp(patch, 0.0, static_cast<double>(axis.grid - 1));
      const int lower = static_cast<int>(clamped);
      const double upper_share = clamped - lower;
      out.index.push_back(w * axis.grid + lower);
      out.weight.push_back(static_cast<float>((1 - upper_share) / windows));
      if (upper_share > 0) {
        out.index.push_back(w * axis.grid + lower + 1);
        out.weight.push_back(static_cast<float>(upper_share / windows));
      }
    }
    out.offset.push_back(static_cast<int>(out.index.size()));
  }
  return out;
}

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
  const kernels::AxisWeights rows = cell_weights(
      {plan.ys, plan.net_h, plan.window_h, plan.padded_h, plan.pad_top, plan.grid_h}, map.height);
  const kernels::AxisWeights cols = cell_weights(
      {plan.xs, plan.net_w, plan.window_w, plan.padded_w, plan.pad_left, plan.grid_w}, map.width);
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
