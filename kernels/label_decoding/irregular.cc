// Tiles with NaN, infinite or huge scores: rare, so plain.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/label_decoding/bounds.h"
#include "kernels/label_decoding/candidates.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/label_decoding/irregular.cc"
#include <hwy/foreach_target.h>
// The order matters: after foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// magnitude [end - begin] = the largest bits of |score|, over all queries, of the patches
// [begin, end) of one window; the bits of floats rise as magnitudes do, and NaN is above infinity.
void magnitudes(const float* HWY_RESTRICT scores, int queries, int64_t plane, int64_t begin,
                int64_t end, int32_t* HWY_RESTRICT magnitude) {
  const hn::ScalableTag<float> df;
  const hn::RebindToSigned<decltype(df)> d;
  constexpr int64_t kLanes = HWY_LANES(float);
  const auto magnitude_bits = hn::Set(d, 0x7FFFFFFF);
  const int64_t length = end - begin, vectors = length - length % kLanes;
  for (int q = 0; q < queries; ++q) {
    const float* HWY_RESTRICT from = scores + q * plane + begin;
    int64_t i = 0;
    for (; i < vectors; i += kLanes) {
      const auto bits = hn::And(hn::BitCast(d, hn::LoadU(df, from + i)), magnitude_bits);
      hn::StoreU(hn::Max(hn::LoadU(d, magnitude + i), bits), d, magnitude + i);
    }
    for (; i < length; ++i) {
      int32_t bits;
      std::memcpy(&bits, from + i, sizeof bits);
      magnitude[i] = std::max(magnitude[i], bits & 0x7FFFFFFF);
    }
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(magnitudes);

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

std::vector<uint8_t> find_irregular(const PatchScores& scores, ThreadPool& pool) {
  constexpr int32_t kLargest = (127 + 126) << 23;  // bits of 2^126
  const int64_t plane = scores.plane();
  const int windows = scores.rows.windows * scores.cols.windows;
  std::vector<int32_t> magnitude(static_cast<size_t>(windows * plane));
  pool.parallel_for(windows * plane, [&](int64_t begin, int64_t end) {
    for (int64_t next; begin < end; begin = next) {
      const int64_t window = begin / plane;
      next = std::min(end, (window + 1) * plane);
      HWY_DYNAMIC_DISPATCH(magnitudes)
      (scores.data + window * scores.queries * plane, scores.queries, plane, begin - window * plane,
       next - window * plane, &magnitude[begin]);
    }
  });
  if (*std::max_element(magnitude.begin(), magnitude.end()) <= kLargest) return {};
  std::vector<uint8_t> irregular(magnitude.size());
  std::transform(magnitude.begin(), magnitude.end(), irregular.begin(),
                 [](int32_t bits) { return bits > kLargest; });
  return irregular;
}

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
#endif
