#include "kernels/same_region/blur.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace vocabseg::kernels {
namespace {

constexpr float kStd = 5;
constexpr int64_t kLength = 31;

std::vector<float> gaussian(int64_t length) {
  std::vector<float> kernel(length);
  float sum = 0;
  for (int64_t i = 0; i < length; ++i) {
    const auto offset = static_cast<float>(i - length / 2);
    sum += kernel[i] = std::exp(-offset * offset / (2 * kStd * kStd));
  }
  for (float& weight : kernel) weight /= sum;
  return kernel;
}

// out[i * step] = sum of kernel[k] * values[(i + k - half) * step] over those inside.
void convolve(const float* values, int64_t n, int64_t step, const std::vector<float>& kernel,
              float* out) {
  const auto length = static_cast<int64_t>(kernel.size()), half = length / 2;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t first = std::max<int64_t>(half - i, 0);
    const int64_t end = std::min(length, n - i + half);
    float sum = 0;
    for (int64_t k = first; k < end; ++k) sum += kernel[k] * values[(i + k - half) * step];
    out[i * step] = sum;
  }
}

}  // namespace

void blur_line(const float* values, int64_t n, float* out) {
  const int64_t length = std::min(n, kLength);
  convolve(values, n, 1, gaussian(length - (length + 1) % 2), out);
}

void blur_in_plane(const float* values, int gh, int gw, float* scratch, float* out) {
  const std::vector<float> kernel = gaussian(kLength);
  for (int col = 0; col < gw; ++col) convolve(values + col, gh, gw, kernel, scratch + col);
  for (int row = 0; row < gh; ++row) {
    convolve(scratch + int64_t{row} * gw, gw, 1, kernel, out + int64_t{row} * gw);
  }
}

}  // namespace vocabseg::kernels
