#include "kernels/common/float_types.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/common/float_types.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/common/float_types-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {

void to_float32_body(const void* from, FloatType type, int64_t count, float* to) {
  widen(from, type, count, to);
}
void from_float32_body(const float* from, int64_t count, FloatType type, void* to) {
  narrow(from, count, type, to);
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(to_float32_body);
HWY_EXPORT(from_float32_body);

void to_float32(const void* from, FloatType type, int64_t count, float* to) {
  HWY_DYNAMIC_DISPATCH(to_float32_body)(from, type, count, to);
}
void from_float32(const float* from, int64_t count, FloatType type, void* to) {
  HWY_DYNAMIC_DISPATCH(from_float32_body)(from, count, type, to);
}

}  // namespace vocabseg::kernels
#endif
