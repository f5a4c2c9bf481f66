// One step of the refinement for a row of several maps.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pamr/refine_row.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/pamr/rows.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, kAffinityBlock>;
using V = hn::Vec<D>;

// The affinities of some pixels to their 8 neighbours at one dilation, held in registers.
struct Weights {
  V up_left, up, up_right, left, right, down_left, down, down_right;
};

HWY_INLINE Weights load_weights(const float* affinities) {
  const D d;
  constexpr int k = kAffinityBlock;
  return {hn::Load(d, affinities),         hn::Load(d, affinities + k),
          hn::Load(d, affinities + 2 * k), hn::Load(d, affinities + 3 * k),
          hn::Load(d, affinities + 4 * k), hn::Load(d, affinities + 5 * k),
          hn::Load(d, affinities + 6 * k), hn::Load(d, affinities + 7 * k)};
}

HWY_INLINE V weighted_sum(const Weights& w, const Neighbourhood& near, V sum) {
  const D d;
  const int64_t right = near.dilation, left = -right;
  sum = hn::MulAdd(w.up_left, hn::LoadU(d, near.up + left), sum);
  sum = hn::MulAdd(w.up, hn::LoadU(d, near.up), sum);
  sum = hn::MulAdd(w.up_right, hn::LoadU(d, near.up + right), sum);
  sum = hn::MulAdd(w.left, hn::LoadU(d, near.middle + left), sum);
  sum = hn::MulAdd(w.right, hn::LoadU(d, near.middle + right), sum);
  sum = hn::MulAdd(w.down_left, hn::LoadU(d, near.down + left), sum);
  sum = hn::MulAdd(w.down, hn::LoadU(d, near.down), sum);
  return hn::MulAdd(w.down_right, hn::LoadU(d, near.down + right), sum);
}

HWY_INLINE Neighbourhood moved(const Neighbourhood& near, int64_t by) {
  return {near.up + by, near.middle + by, near.down + by, near.dilation};
}

struct Maps {
  int count;
  int64_t stride;
  float* out;
  int64_t out_stride;
};

// Adds one dilation to every map; the first overwrites.
HWY_INLINE void add_one(const float* affinities, Neighbourhood near, Maps maps, bool first) {
  const D d;
  const Weights w = load_weights(affinities);
  for (int m = 0; m < maps.count; ++m) {
    const V before = first ? hn::Zero(d) : hn::LoadU(d, maps.out);
    hn::StoreU(weighted_sum(w, near, before), d, maps.out);
    near = moved(near, maps.stride);
    maps.out += maps.out_stride;
  }
}

// The same for two dilations, whose 16 weights fit the 32 registers of AVX-512 and NEON.
HWY_INLINE void add_two(const float* affinities, Neighbourhood near, Neighbourhood far, Maps maps,
                        bool first) {
  const D d;
  const Weights w0 = load_weights(affinities);
  const Weights w1 = load_weights(affinities + 8 * kAffinityBlock);
  for (int m = 0; m < maps.count; ++m) {
    const V before = first ? hn::Zero(d) : hn::LoadU(d, maps.out);
    const V sum = weighted_sum(w0, near, before);
    hn::StoreU(hn::Add(sum, weighted_sum(w1, far, hn::Zero(d))), d, maps.out);
    near = moved(near, maps.stride);
    far = moved(far, maps.stride);
    maps.out += maps.out_stride;
  }
}

constexpr bool kManyRegisters = HWY_ARCH_ARM_A64 || (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3);

}  // namespace

void refine_row(const float* affinities, const Neighbourhood* around, int dilations, int maps,
                int64_t stride, int blocks, float* out, int64_t out_stride) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
  for (int64_t x = 0; x < int64_t{blocks} * kAffinityBlock; x += lanes) {
    const float* weights =
        affinities + x / kAffinityBlock * 8 * dilations * kAffinityBlock + x % kAffinityBlock;
    const Maps all{maps, stride, out + x, out_stride};
    int i = 0;
    if constexpr (kManyRegisters) {
      for (; i + 1 < dilations; i += 2, weights += 16 * kAffinityBlock) {
        add_two(weights, moved(around[i], x), moved(around[i + 1], x), all, i == 0);
      }
    }
    for (; i < dilations; ++i, weights += 8 * kAffinityBlock) {
      add_one(weights, moved(around[i], x), all, i == 0);
    }
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(refine_row);

void refine_row(const float* affinities, const Neighbourhood* around, int dilations, int maps,
                int64_t stride, int blocks, float* out, int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(refine_row)
  (affinities, around, dilations, maps, stride, blocks, out, out_stride);
}

}  // namespace vocabseg::kernels
#endif
