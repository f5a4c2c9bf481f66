#include "kernels/label_decoding/candidates.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/label_decoding/bounds.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/label_decoding/candidates.cc"
#include <hwy/foreach_target.h>
// The order matters: after foreach_target.h.
#include <hwy/highway.h>

#include "kernels/label_decoding/tile_bounds-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {

// Calls body(first position, count) for batches of the positions [begin, end).
template <class Body>
void for_batches(int begin, int end, const Body& body) {
  for (int i = begin; i < end; i += TileBounds::kBatch)
    body(i, std::min(TileBounds::kBatch, end - i));
}

// lowest [stride] = max(lowest, smallest score of each query).
void raise(TileBounds& bounds, const QueryOrder& order, int begin, int end, float* batch,
           float* HWY_RESTRICT lowest) {
  const D d;
  for_batches(begin, end, [&](int first, int count) {
    bounds.run<Minimum>(&order.query[first], count, batch);
    for (size_t x = 0; x < bounds.stride(); x += kLanes) {
      auto best = hn::LoadU(d, lowest + x);
      for (int i = 0; i < count; ++i) {
        best = hn::Max(best, hn::LoadU(d, batch + i * bounds.stride() + x));
      }
      hn::StoreU(best, d, lowest + x);
    }
  });
}

template <class M>
uint64_t bits_of(M mask) {
  uint64_t bits = 0;
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(D(), mask, bytes);
  std::memcpy(&bits, bytes, sizeof bits);
  return bits;
}

template <class Add>
void for_set_bits(uint64_t bits, const Add& add) {
  for (; bits != 0; bits &= bits - 1) add(hwy::Num0BitsBelowLS1Bit_Nonzero64(bits));
}

void select(const PatchScores& scores, const QueryOrder& order, const Softmax& softmax,
            const AxisTile& row, const AxisTile* cols, int tiles, Candidates* out) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const D d;
  TileBounds bounds(scores, row, cols, tiles);
  const size_t stride = bounds.stride();
  std::vector<float> batch(TileBounds::kBatch * stride);
  // The largest of the queries' smallest scores: of the enabled ones, and of all.
  std::vector<float> enabled(stride, -kInfinity), all;
  raise(bounds, order, 0, order.enabled, batch.data(), enabled.data());
  all = enabled;
  if (softmax.wanted) {
    raise(bounds, order, order.enabled, order.queries(), batch.data(), all.data());
  }

  std::vector<float> win(stride, kInfinity), peak = win, term = win;
  for (int i = 0; i < tiles; ++i) {
    const int taps = row.patches() + cols[i].patches();
    win[i] = below(enabled[i], taps);
    peak[i] = below(all[i], taps);
    term[i] = all[i] - softmax.reach;
    out[i].clear();
  }
  const auto collect = [&](int begin, int end, const std::vector<float>& front,
                           std::vector<int32_t> Candidates::*list) {
    for_batches(begin, end, [&](int first, int count) {
      bounds.run<Maximum>(&order.query[first], count, batch.data());
      for (int i = 0; i < count; ++i) {
        for (size_t x = 0; x < stride; x += kLanes) {
          const auto highest = hn::LoadU(d, &batch[i * stride + x]);
          const uint64_t in_front = bits_of(hn::Ge(highest, hn::LoadU(d, &front[x])));
          for_set_bits(in_front, [&](size_t t) { (out[x + t].*list).push_back(first + i); });
          if (!softmax.wanted) continue;
          const uint64_t counts = bits_of(hn::Ge(highest, hn::LoadU(d, &term[x])));
          for_set_bits(counts & ~in_front,
                       [&](size_t t) { out[x + t].terms.push_back(first + i); });
        }
      }
    });
  };
  collect(0, order.enabled, win, &Candidates::winners);
  if (softmax.wanted) collect(order.enabled, order.queries(), peak, &Candidates::peaks);
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(select);

void Candidates::clear() {
  winners.clear();
  peaks.clear();
  terms.clear();
}

Softmax make_softmax(bool wanted, float logit_scale, int queries) {
  // All skipped terms together are less than 2^-26 of the sum.
  const double distance = 26 * std::log(2.0) + std::log(static_cast<double>(queries));
  return {wanted, static_cast<float>(distance / logit_scale)};
}

void select_candidates(const PatchScores& scores, const QueryOrder& order, const Softmax& softmax,
                       const AxisTile& row, const AxisTile* cols, int tiles, Candidates* out) {
  HWY_DYNAMIC_DISPATCH(select)(scores, order, softmax, row, cols, tiles, out);
}

}  // namespace vocabseg::kernels
#endif
