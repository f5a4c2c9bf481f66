#include "kernels/common/axis_weights.h"

#include <algorithm>
#include <cmath>

namespace vocabseg::kernels {
namespace {

// A row of a sparse matrix, by rising index.
struct Term {
  int index;
  double weight;
};
using SparseRow = std::vector<Term>;

// Weights that composing leaves behind by rounding, where the exact value is 0.
constexpr double kNoise = 1e-9;

void add(SparseRow& row, int index, double weight) {
  const auto at = std::lower_bound(row.begin(), row.end(), index,
                                   [](const Term& term, int i) { return term.index < i; });
  if (at != row.end() && at->index == index) {
    at->weight += weight;
  } else {
    row.insert(at, {index, weight});
  }
}

struct Tap {
  int low, high;
  double high_weight;
};

// torch.nn.functional.interpolate along one axis, no antialias.
Tap resize_tap(Interpolation interpolation, int i, int in, int out) {
  double source = 0;
  switch (interpolation) {
    case Interpolation::kBilinear:
      source = std::max((i + 0.5) * in / out - 0.5, 0.0);
      break;
    case Interpolation::kAlignCorners:
      source = out > 1 ? static_cast<double>(i) * (in - 1) / (out - 1) : 0.0;
      break;
    case Interpolation::kNearest: {
      // In float32, whose rounding decides at the edges between two pixels.
      const float scale = static_cast<float>(in) / static_cast<float>(out);
      const int nearest = std::min(static_cast<int>(static_cast<float>(i) * scale), in - 1);
      return {nearest, nearest, 0.0};
    }
  }
  const int low = std::min(static_cast<int>(source), in - 1);
  return {low, std::min(low + 1, in - 1), source - low};
}

// One axis of a plan.
struct Axis {
  int net, window, padded, pad;
  const std::vector<int>& starts;
  int grid;
  Interpolation interpolation;
};

// Adds `scale` times pixel `i` of the resized frame: the mean over the windows that cover it.
void add_net_pixel(const Axis& axis, int i, double scale, SparseRow& row) {
  const auto first = std::upper_bound(axis.starts.begin(), axis.starts.end(), i - axis.window);
  const auto last = std::upper_bound(first, axis.starts.end(), i);
  const double share = scale / static_cast<double>(last - first);
  for (auto start = first; start != last; ++start) {
    const Tap tap = resize_tap(axis.interpolation, i - *start + axis.pad, axis.grid, axis.padded);
    const int patch = static_cast<int>(start - axis.starts.begin()) * axis.grid;
    add(row, patch + tap.low, share * (1 - tap.high_weight));
    add(row, patch + tap.high, share * tap.high_weight);
  }
}

AxisWeights compose(const Axis& axis, int output) {
  AxisWeights weights;
  weights.rows = output;
  weights.windows = static_cast<int>(axis.starts.size());
  weights.grid = axis.grid;
  weights.offset.push_back(0);
  SparseRow row;
  for (int i = 0; i < output; ++i) {
    const Tap tap = resize_tap(axis.interpolation, i, axis.net, output);
    row.clear();
    if (tap.high_weight < 1) add_net_pixel(axis, tap.low, 1 - tap.high_weight, row);
    if (tap.high_weight > 0) add_net_pixel(axis, tap.high, tap.high_weight, row);
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

AxisWeights row_weights(const WindowPlan& plan, int output_h, Interpolation interpolation) {
  check_plan(plan);
  return compose(
      {plan.net_h, plan.window_h, plan.padded_h, plan.pad_top, plan.ys, plan.grid_h, interpolation},
      output_h > 0 ? output_h : plan.source_h);
}

AxisWeights col_weights(const WindowPlan& plan, int output_w, Interpolation interpolation) {
  check_plan(plan);
  return compose({plan.net_w, plan.window_w, plan.padded_w, plan.pad_left, plan.xs, plan.grid_w,
                  interpolation},
                 output_w > 0 ? output_w : plan.source_w);
}

}  // namespace vocabseg::kernels
