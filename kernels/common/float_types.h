// The float types that features come in, and rows of them as float32.
#pragma once

#include <cstdint>

namespace vocabseg::kernels {

enum class FloatType { kFloat32, kFloat16, kBFloat16 };

constexpr int64_t size_of(FloatType type) { return type == FloatType::kFloat32 ? 4 : 2; }

// The address of element `index` of an array of `type`.
inline const void* element(const void* array, FloatType type, int64_t index) {
  return static_cast<const char*>(array) + index * size_of(type);
}
inline void* element(void* array, FloatType type, int64_t index) {
  return static_cast<char*>(array) + index * size_of(type);
}

// `count` elements of `type` as float32, exactly; NaN stays NaN. `from` is aligned to its type.
void to_float32(const void* from, FloatType type, int64_t count, float* to);

// `count` float32 rounded to `type`, to nearest, ties to even; what is too large becomes infinite
// and NaN stays NaN.
void from_float32(const float* from, int64_t count, FloatType type, void* to);

}  // namespace vocabseg::kernels
