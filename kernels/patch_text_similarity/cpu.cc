#include "kernels/patch_text_similarity/cpu.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr int64_t kPanel = 16;  // patches side by side, so that the inner loop is one vector wide

// 1 / |row|, in double so that no finite float32 row over- or underflows; 0 for a zero row.
double inverse_norm(const float* row, int64_t d) {
  double sum = 0;
  for (int64_t k = 0; k < d; ++k) sum += static_cast<double>(row[k]) * row[k];
  return sum == 0 ? 0 : 1 / std::sqrt(sum);
}

// panel [d, kPanel] = the transposed, normalised rows; missing rows are zero.
void pack(const float* rows, int64_t count, int64_t d, bool normalize, float* panel) {
  std::fill_n(panel, d * kPanel, 0.f);
  for (int64_t i = 0; i < count; ++i) {
    const float* row = rows + i * d;
    const double scale = normalize ? inverse_norm(row, d) : 1;
    for (int64_t k = 0; k < d; ++k) panel[k * kPanel + i] = static_cast<float>(row[k] * scale);
  }
}

void multiply(const float* panel, const float* text, int64_t d, float* sums) {
  float sum[kPanel] = {};
  for (int64_t k = 0; k < d; ++k) {
    for (int64_t i = 0; i < kPanel; ++i) sum[i] += text[k] * panel[k * kPanel + i];
  }
  std::copy_n(sum, kPanel, sums);
}

}  // namespace

void patch_text_similarity(const float* features, int64_t n, int64_t d, const float* text,
                           int64_t q, bool normalize, float* out, ThreadPool& pool) {
  if (n < 0 || d < 1 || q < 1) {
    throw ShapeError("got features [" + std::to_string(n) + ", " + std::to_string(d) +
                     "] and text [" + std::to_string(q) + ", " + std::to_string(d) +
                     "]; expected a width and a number of queries of at least 1");
  }
  const int64_t panels = (n + kPanel - 1) / kPanel;
  pool.parallel_for(panels, [&](int64_t begin, int64_t end) {
    std::vector<float> panel(d * kPanel);
    float sums[kPanel];
    for (int64_t p = begin; p < end; ++p) {
      const int64_t first = p * kPanel, count = std::min(kPanel, n - first);
      pack(features + first * d, count, d, normalize, panel.data());
      for (int64_t j = 0; j < q; ++j) {
        multiply(panel.data(), text + j * d, d, sums);
        std::copy_n(sums, count, out + j * n + first);
      }
    }
  });
}

}  // namespace vocabseg::kernels
