// One row of scores at a time: what is added to them, and their running softmax.
#if defined(VOCABSEG_KERNELS_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VOCABSEG_KERNELS_SOFTMAX_INL_H_
#undef VOCABSEG_KERNELS_SOFTMAX_INL_H_
#else
#define VOCABSEG_KERNELS_SOFTMAX_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/common/exp-inl.h"
#include "kernels/common/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// scores += bias
HWY_INLINE void add_bias(const float* bias, int64_t count, float* scores) {
  const hn::ScalableTag<float> d;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    hn::StoreU(hn::Add(hn::LoadU(d, bias + i), hn::LoadU(d, scores + i)), d, scores + i);
  }
  for (; i < count; ++i) scores[i] += bias[i];
}

// scores += the Gaussian of the distances between a patch of a grid h x w and patches
// [first, first + count): along a row of the grid it is a piece of the table `columns` times a
// number. The tables start at distances -(h - 1) and -(w - 1). A vector after `scores` is read and
// written, and keeps its values.
HWY_INLINE void add_gaussian(const float* rows, const float* columns, int64_t h, int64_t w,
                             int64_t patch, int64_t first, int64_t count, float* scores) {
  const hn::ScalableTag<float> d;
  const int64_t patch_row = patch / w, patch_column = patch % w;
  for (int64_t done = 0; done < count;) {
    const int64_t row = (first + done) / w, column = (first + done) % w;
    const int64_t length = std::min(w - column, count - done);
    const auto factor = hn::Set(d, rows[h - 1 + row - patch_row]);
    const float* piece = columns + (w - 1 + column - patch_column);
    for (int64_t i = 0; i < length; i += kLanes) {
      const auto inside = hn::FirstN(d, static_cast<size_t>(std::min(kLanes, length - i)));
      const auto values = hn::IfThenElseZero(inside, hn::LoadU(d, piece + i));
      float* to = scores + done + i;
      hn::StoreU(hn::MulAdd(values, factor, hn::LoadU(d, to)), d, to);
    }
    done += length;
  }
}

// Turns `count` scores into weights e^(score - maximum) and adds them to the sum, after raising the
// maximum to that of the scores. Returns the factor by which older weights are too large. Scores up
// to a whole vector are overwritten with zero weights.
HWY_INLINE float weigh(float* scores, int64_t count, float& maximum, float& sum) {
  const hn::ScalableTag<float> d;
  constexpr float kNothing = -std::numeric_limits<float>::infinity();
  const int64_t padded = (count + kLanes - 1) / kLanes * kLanes;
  std::fill(scores + count, scores + padded, kNothing);
  auto largest = hn::Set(d, maximum);
  for (int64_t i = 0; i < padded; i += kLanes) {
    largest = hn::Max(largest, hn::LoadU(d, scores + i));
  }
  const float old = maximum;
  maximum = hn::GetLane(hn::MaxOfLanes(d, largest));
  const auto zero = hn::Set(d, maximum == kNothing ? 0 : maximum);
  auto total = hn::Zero(d);
  for (int64_t i = 0; i < padded; i += kLanes) {
    const auto weight = exponential(d, hn::Sub(hn::LoadU(d, scores + i), zero));
    hn::StoreU(weight, d, scores + i);
    total = hn::Add(total, weight);
  }
  const float shrink =
      old == maximum ? 1 : hn::GetLane(exponential(d, hn::Sub(hn::Set(d, old), zero)));
  sum = sum * shrink + hn::GetLane(hn::SumOfLanes(d, total));
  return shrink;
}

// row *= factor, whole vectors.
HWY_INLINE void multiply_by(float factor, int64_t count, float* row) {
  const hn::ScalableTag<float> d;
  for (int64_t i = 0; i < count; i += kLanes) {
    hn::Store(hn::Mul(hn::Load(d, row + i), hn::Set(d, factor)), d, row + i);
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // per target
