#include "kernels/common/axis_weights.h"

#include <algorithm>
#include <map>

namespace vocabseg::kernels {
namespace {

// A row of a sparse matrix: column -> weight.
using SparseRow = std::map<int, double>;

// Weights that composing leaves behind by rounding, where the exact value is 0.
constexpr double kNoise = 1e-9;

struct Tap {
  int low, high;
  double high_weight;
};

// torch.nn.functional.interpolate(mode="bilinear", align_corners=False) along one axis, no
// antialias.
Tap bilinear_tap(int i, int in, int out) {
  const double source = std::max((i + 0.5) * in / out - 0.5, 0.0);
  const int low = std::min(static_cast<int>(source), in - 1);
  return {low, std::min(low + 1, in - 1), source - low};
}

// One axis of a plan.
struct Axis {
  int net, window, padded, pad;
  const std::vector<int>& starts;
  int grid;
};

// Pixel `i` of the resized frame as a sum of patches: the mean over the windows that cover it.
SparseRow net_row(const Axis& axis, int i) {
  SparseRow row;
  int covering = 0;
  auto start = std::upper_bound(axis.starts.begin(), axis.starts.end(), i - axis.window);
  for (; start != axis.starts.end() && *start <= i; ++start) {
    const Tap tap = bilinear_tap(i - *start + axis.pad, axis.grid, axis.padded);
    const int first = static_cast<int>(start - axis.starts.begin()) * axis.grid;
    row[first + tap.low] += 1 - tap.high_weight;
    row[first + tap.high] += tap.high_weight;
    ++covering;
  }
  for (auto& [index, weight] : row) weight /= covering;
  return row;
}

AxisWeights compose(const Axis& axis, int output) {
  AxisWeights weights;
  weights.rows = output;
  weights.windows = static_cast<int>(axis.starts.size());
  weights.grid = axis.grid;
  weights.offset.push_back(0);
  for (int i = 0; i < output; ++i) {
    const Tap tap = bilinear_tap(i, axis.net, output);
    SparseRow row;
    for (const auto& [index, weight] : net_row(axis, tap.low)) {
      row[index] += (1 - tap.high_weight) * weight;
    }
    for (const auto& [index, weight] : net_row(axis, tap.high)) {
      row[index] += tap.high_weight * weight;
    }
    for (const auto& [index, weight] : row) {
      if (weight < kNoise) continue;
      weights.index.push_back(index);
      weights.weight.push_back(static_cast<float>(weight));
    }
    weights.offset.push_back(static_cast<int>(weights.index.size()));
  }
  return weights;
}

}  // namespace

AxisWeights row_weights(const WindowPlan& plan, int output_h) {
  check_plan(plan);
  const Axis axis{plan.net_h, plan.window_h, plan.padded_h, plan.pad_top, plan.ys, plan.grid_h};
  return compose(axis, output_h > 0 ? output_h : plan.source_h);
}

AxisWeights col_weights(const WindowPlan& plan, int output_w) {
  check_plan(plan);
  const Axis axis{plan.net_w, plan.window_w, plan.padded_w, plan.pad_left, plan.xs, plan.grid_w};
  return compose(axis, output_w > 0 ? output_w : plan.source_w);
}

}  // namespace vocabseg::kernels
