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

void copy_row(const float* HWY_RESTRICT from, int64_t width, float* HWY_RESTRICT to) {
  const hn::ScalableTag<float> d;
  for (int64_t x = 0; x < width; x += kMedianLanes) {
    hn::Store(hn::LoadU(d, from + x), d, to + x);
  }
}

void exchange_rows(float* HWY_RESTRICT low, float* HWY_RESTRICT high, int64_t width) {
  const hn::ScalableTag<float> d;
  for (int64_t x = 0; x < width; x += kMedianLanes) {
    const auto a = hn::Load(d, low + x), b = hn::Load(d, high + x);
    hn::Store(hn::Min(a, b), d, low + x);
    hn::Store(hn::Max(a, b), d, high + x);
  }
}

void run_median(const MedianProgram& program, float* memory, float* out) {
  for (const MedianProgram::Step& step : program.steps) {
    float* rows = memory + step.first;
    for (size_t r = 0; r < step.sources.size(); ++r) {
      copy_row(memory + step.sources[r], program.padded_width, rows + r * program.stride);
    }
    for (const Exchange& exchange : step.exchanges) {
      exchange_rows(rows + exchange.low * program.stride, rows + exchange.high * program.stride,
                    program.padded_width);
    }
  }
  const hn::ScalableTag<float> d;
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
