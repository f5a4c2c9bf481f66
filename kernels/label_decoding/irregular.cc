// Tiles with NaN, infinite or huge scores: rare, so plain.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/label_decoding/bounds.h"
#include "kernels/label_decoding/candidates.h"

namespace vocabseg::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

enum class Kind { kFinite, kInfinite, kLost };

struct Bounds {
  Kind kind = Kind::kFinite;
  float lowest = kInfinity, highest = -kInfinity;
};

Bounds bounds_of(const PatchScores& scores, int32_t query, const AxisTile& row,
                 const AxisTile& col) {
  Bounds bounds;
  const float* plane = scores.data + query * scores.plane();
  for (const int r : row.index) {
    for (const int c : col.index) {
      const float score = plane[scores.row_offset(r) + scores.col_offset(c)];
      if (std::isnan(score) || score == -kInfinity) return {Kind::kLost};
      if (score == kInfinity) bounds.kind = Kind::kInfinite;
      bounds.lowest = std::min(bounds.lowest, score);
      bounds.highest = std::max(bounds.highest, score);
    }
  }
  return bounds;
}

}  // namespace

Infinite select_irregular(const PatchScores& scores, const QueryOrder& order,
                          const Softmax& softmax, const AxisTile& row, const AxisTile& col,
                          Candidates& out) {
  std::vector<Bounds> bounds;
  Infinite infinite;
  float enabled = -kInfinity, all = -kInfinity;
  for (int i = 0; i < order.queries(); ++i) {
    bounds.push_back(bounds_of(scores, order.query[i], row, col));
    if (bounds[i].kind == Kind::kInfinite) {
      if (infinite.first < 0 && i < order.enabled) infinite.first = i;
      ++infinite.count;
    } else if (bounds[i].kind == Kind::kFinite) {
      if (i < order.enabled) enabled = std::max(enabled, bounds[i].lowest);
      all = std::max(all, bounds[i].lowest);
    }
  }
  const int taps = row.patches() + col.patches();
  out.clear();
  for (int i = 0; i < order.queries(); ++i) {
    if (bounds[i].kind != Kind::kFinite) continue;
    if (i < order.enabled && bounds[i].highest >= below(enabled, taps)) {
      out.winners.push_back(i);
    } else if (softmax.wanted && i >= order.enabled && bounds[i].highest >= below(all, taps)) {
      out.peaks.push_back(i);
    } else if (softmax.wanted && bounds[i].highest >= all - softmax.reach) {
      out.terms.push_back(i);
    }
  }
  return infinite;
}

}  // namespace vocabseg::kernels
