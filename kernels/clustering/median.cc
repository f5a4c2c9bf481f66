#include "kernels/clustering/median.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/clustering/median.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <limits>

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kMedianLanes = HWY_LANES(float);

void run_median(const MedianProgram& program, float* memory, float* out) {
  const hn::ScalableTag<float> d;
  for (const auto& [from, low, high] : program.exchanges) {
    const float *a = memory + from[0], *b = memory + from[1];
    float *smaller = memory + low, *larger = memory + high;
    for (int64_t x = 0; x < program.padded_width; x += kMedianLanes) {
      const auto u = hn::LoadU(d, a + x), v = hn::LoadU(d, b + x);
      hn::Store(hn::Min(u, v), d, smaller + x);
      hn::Store(hn::Max(u, v), d, larger + x);
    }
  }
  const auto median_at = [&](int64_t x) HWY_ATTR {
    auto median = hn::Set(d, std::numeric_limits<float>::infinity());
    for (const auto& [a, b] : program.maxima) {
      median = hn::Min(median, hn::Max(hn::LoadU(d, memory + a + x), hn::LoadU(d, memory + b + x)));
    }
    return median;
  };
  int64_t x = 0;
  for (; x + kMedianLanes <= program.width; x += kMedianLanes) hn::StoreU(median_at(x), d, out + x);
  if (x == program.width) return;
  HWY_ALIGN float rest[kMedianLanes];
  hn::Store(median_at(x), d, rest);
  for (int64_t i = 0; x + i < program.width; ++i) out[x + i] = rest[i];
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(run_median);

void median_row(const MedianProgram& program, float* memory, float* out) {
  HWY_DYNAMIC_DISPATCH(run_median)(program, memory, out);
}

}  // namespace vocabseg::kernels
#endif
