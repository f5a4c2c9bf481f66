// The network of the fake devices: unit rows of each patch's mean colour.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace vocabseg::cuda {

constexpr int kDim = 16;  // of its features
constexpr int kSide = 32, kPatchSide = 8, kPatches = 16;

inline void colour_of_patch(const float* window, int64_t patch, float* feature) {
  const int64_t top = patch / 4 * kPatchSide, left = patch % 4 * kPatchSide;
  std::fill(feature, feature + kDim, 0.0f);
  float square = 0.01f;
  for (int c = 0; c < 3; ++c) {
    const float* plane = window + c * kSide * kSide;
    for (int i = 0; i < kPatchSide * kPatchSide; ++i) {
      const float value = plane[(top + i / kPatchSide) * kSide + left + i % kPatchSide];
      feature[c] += value / (kPatchSide * kPatchSide);
    }
    square += feature[c] * feature[c];
  }
  feature[3] = 0.1f;
  for (int c = 0; c < 4; ++c) feature[c] /= std::sqrt(square);
}

// Windows [count, 3, 32, 32] to features [count, 16, 16].
inline void colour_network(const void* windows, int64_t count, void* features) {
  for (int64_t i = 0; i < count * kPatches; ++i) {
    colour_of_patch(static_cast<const float*>(windows) + i / kPatches * 3 * kSide * kSide,
                    i % kPatches, static_cast<float*>(features) + i * kDim);
  }
}

}  // namespace vocabseg::cuda
