// Conversions between float32 and the 16-bit float types, for the bodies of ops.
#if defined(VOCABSEG_KERNELS_FLOAT_TYPES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VOCABSEG_KERNELS_FLOAT_TYPES_INL_H_
#undef VOCABSEG_KERNELS_FLOAT_TYPES_INL_H_
#else
#define VOCABSEG_KERNELS_FLOAT_TYPES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#include "kernels/common/float_types.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Highway's own float16 conversions round only where the hardware has them.
constexpr bool kHardwareHalf = HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128;

HWY_INLINE uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
HWY_INLINE float float_of(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

struct Half {
  using T = uint16_t;

  static HWY_INLINE float widen(T half) {
    const uint32_t sign = (half & 0x8000u) << 16;
    uint32_t magnitude = (half & 0x7fffu) << 13;
    if (magnitude < 0x7c00u << 13) {
      magnitude = bits_of(float_of(magnitude) * 0x1p112f);  // from exponent bias 15 to 127
    } else {
      magnitude |= 0x7f800000u;  // infinity, NaN
    }
    return float_of(sign | magnitude);
  }

  static HWY_INLINE T narrow(float value) {
    const uint32_t bits = bits_of(value), sign = bits >> 31 << 15;
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
      magnitude = 0x7e00u;  // NaN
    } else if (magnitude >= bits_of(65520)) {
      magnitude = 0x7c00u;  // rounds to infinity
    } else if (magnitude < bits_of(0x1p-14f)) {
      magnitude = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);  // the sum rounds
    } else {
      const uint32_t odd = magnitude >> 13 & 1;
      magnitude = (magnitude - (112u << 23) + 0xfffu + odd) >> 13;
    }
    return static_cast<T>(sign | magnitude);
  }

  template <class D>
  static HWY_INLINE hn::Vec<D> load(D d, const T* from) {
    const hn::Rebind<T, D> bits;
    const hn::Rebind<hwy::float16_t, D> halves;
    return hn::PromoteTo(d, hn::BitCast(halves, hn::LoadU(bits, from)));
  }
  template <class D>
  static HWY_INLINE void store(hn::Vec<D> value, D, T* to) {
    const hn::Rebind<T, D> bits;
    const hn::Rebind<hwy::float16_t, D> halves;
    hn::StoreU(hn::BitCast(bits, hn::DemoteTo(halves, value)), bits, to);
  }
};

struct BFloat {
  using T = uint16_t;

  static HWY_INLINE float widen(T value) { return float_of(uint32_t{value} << 16); }

  static HWY_INLINE T narrow(float value) {
    const uint32_t bits = bits_of(value);
    if (value != value) return static_cast<T>(bits >> 16 | 0x40u);
    return static_cast<T>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
  }

  template <class D>
  static HWY_INLINE hn::Vec<D> load(D d, const T* from) {
    const hn::RebindToUnsigned<D> wide;
    const hn::Rebind<T, D> bits;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(wide, hn::LoadU(bits, from))));
  }
  template <class D>
  static HWY_INLINE void store(hn::Vec<D> value, D, T* to) {
    const hn::RebindToUnsigned<D> wide;
    const hn::RebindToSigned<D> integers;
    const hn::Rebind<T, D> bits;
    const auto v = hn::BitCast(wide, value);
    const auto odd = hn::And(hn::ShiftRight<16>(v), hn::Set(wide, 1));
    const auto rounded = hn::Add(hn::Add(v, hn::Set(wide, 0x7fff)), odd);
    const auto quiet = hn::Or(v, hn::Set(wide, 0x400000));
    const auto is_nan = hn::RebindMask(wide, hn::IsNaN(value));
    const auto high = hn::ShiftRight<16>(hn::IfThenElse(is_nan, quiet, rounded));
    hn::StoreU(hn::DemoteTo(bits, hn::BitCast(integers, high)), bits, to);
  }
};

template <class Type>
HWY_INLINE void widen_row(const void* from, int64_t count, float* to) {
  const auto* source = static_cast<const typename Type::T*>(from);
  int64_t i = 0;
  if constexpr (kHardwareHalf) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    for (; i + lanes <= count; i += lanes) hn::StoreU(Type::load(d, source + i), d, to + i);
  }
  for (; i < count; ++i) to[i] = Type::widen(source[i]);
}

template <class Type>
HWY_INLINE void narrow_row(const float* from, int64_t count, void* to) {
  auto* target = static_cast<typename Type::T*>(to);
  int64_t i = 0;
  if constexpr (kHardwareHalf) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    for (; i + lanes <= count; i += lanes) {
      Type::store(hn::LoadU(d, from + i), d, target + i);
    }
  }
  for (; i < count; ++i) target[i] = Type::narrow(from[i]);
}

HWY_INLINE void widen(const void* from, FloatType type, int64_t count, float* to) {
  switch (type) {
    case FloatType::kFloat16:
      return widen_row<Half>(from, count, to);
    case FloatType::kBFloat16:
      return widen_row<BFloat>(from, count, to);
    case FloatType::kFloat32:
      if (count > 0) std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
  }
}

HWY_INLINE void narrow(const float* from, int64_t count, FloatType type, void* to) {
  switch (type) {
    case FloatType::kFloat16:
      return narrow_row<Half>(from, count, to);
    case FloatType::kBFloat16:
      return narrow_row<BFloat>(from, count, to);
    case FloatType::kFloat32:
      if (count > 0) std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // per target
