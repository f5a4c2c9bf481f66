#include "kernels/preprocessing/normalize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/preprocessing/normalize.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void normalize_row(const uint8_t* from, int64_t count, float mean, float std, float* to) {
  const hn::CappedTag<float, 16> d;
  const hn::Rebind<int32_t, decltype(d)> d32;
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const auto centre = hn::Set(d, mean), width = hn::Set(d, std);
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto value = hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(d8, from + i)));
    hn::StoreU(hn::Div(hn::Sub(value, centre), width), d, to + i);
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(normalize_row);

void normalize_row(const uint8_t* from, int64_t count, float mean, float std, float* to) {
  HWY_DYNAMIC_DISPATCH(normalize_row)(from, count, mean, std, to);
}

}  // namespace vocabseg::kernels
#endif
