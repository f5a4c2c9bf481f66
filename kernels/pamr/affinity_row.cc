// Affinities of the pixels of a row to their neighbours.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pamr/affinity_row.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h:
#include <hwy/contrib/math/math-inl.h>

#include "kernels/pamr/rows.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, kAffinityBlock>;
using V = hn::Vec<D>;

struct Row {
  const Neighbourhood* around;
  int dilations;
  int64_t channel_stride;
};

// visit(number, difference to the centre) for every neighbour of the pixels at x.
template <class Visit>
HWY_INLINE void each_difference(const Row& row, int channel, int64_t x, const Visit& visit) {
  const D d;
  const int64_t at = channel * row.channel_stride + x;
  const V centre = hn::LoadU(d, row.around[0].middle + at);
  int number = 0;
  for (int i = 0; i < row.dilations; ++i) {
    const Neighbourhood& near = row.around[i];
    const float* const lines[3] = {near.up + at, near.middle + at, near.down + at};
    for (int n = 0; n < 9; ++n) {
      if (n == 4) continue;  // the centre
      const float* neighbour = lines[n / 3] + (n % 3 - 1) * near.dilation;
      visit(number++, hn::Sub(hn::LoadU(d, neighbour), centre));
    }
  }
}

// -1 / (3 * (1e-8 + 0.1 std)), std unbiased over 9 samples a dilation. Sums are of differences to
// the centre, which is itself a sample, so that no more than a factor of 9 cancels.
HWY_INLINE V channel_scale(const Row& row, int channel, int64_t x) {
  const D d;
  V sum = hn::Zero(d), squares = hn::Zero(d);
  each_difference(row, channel, x, [&](int, V difference) {
    sum = hn::Add(sum, difference);
    squares = hn::MulAdd(difference, difference, squares);
  });
  const auto samples = static_cast<float>(9 * row.dilations);
  const V spread = hn::NegMulAdd(hn::Mul(sum, hn::Set(d, 1 / samples)), sum, squares);
  const V variance = hn::Mul(hn::Max(spread, hn::Zero(d)), hn::Set(d, 1 / (samples - 1)));
  const V width = hn::MulAdd(hn::Set(d, 0.1f), hn::Sqrt(variance), hn::Set(d, 1e-8f));
  return hn::Div(hn::Set(d, -1.f / 3), width);
}

// Softmax over `count` values, each kAffinityBlock floats after the last.
HWY_INLINE void softmax(float* values, int count) {
  const D d;
  V peak = hn::Load(d, values), sum = hn::Zero(d);
  for (int n = 1; n < count; ++n) peak = hn::Max(peak, hn::Load(d, values + n * kAffinityBlock));
  for (int n = 0; n < count; ++n) {
    float* value = values + n * kAffinityBlock;
    const V weight = hn::Exp(d, hn::Sub(hn::Load(d, value), peak));
    sum = hn::Add(sum, weight);
    hn::Store(weight, d, value);
  }
  const V scale = hn::Div(hn::Set(d, 1.f), sum);
  for (int n = 0; n < count; ++n) {
    float* value = values + n * kAffinityBlock;
    hn::Store(hn::Mul(hn::Load(d, value), scale), d, value);
  }
}

}  // namespace

void affinity_row(const Neighbourhood* around, int dilations, int64_t stride, int blocks,
                  float* affinities) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const Row row{around, dilations, stride};
  const int neighbours = 8 * dilations;
  for (int64_t x = 0; x < int64_t{blocks} * kAffinityBlock; x += lanes) {
    float* values =
        affinities + x / kAffinityBlock * neighbours * kAffinityBlock + x % kAffinityBlock;
    for (int channel = 0; channel < 3; ++channel) {
      const V scale = channel_scale(row, channel, x);
      each_difference(row, channel, x, [&](int number, V difference) {
        float* value = values + number * kAffinityBlock;
        const V before = channel ? hn::Load(d, value) : hn::Zero(d);
        hn::Store(hn::MulAdd(hn::Abs(difference), scale, before), d, value);
      });
    }
    softmax(values, neighbours);
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(affinity_row);

void affinity_row(const Neighbourhood* around, int dilations, int64_t stride, int blocks,
                  float* affinities) {
  HWY_DYNAMIC_DISPATCH(affinity_row)(around, dilations, stride, blocks, affinities);
}

}  // namespace vocabseg::kernels
#endif
