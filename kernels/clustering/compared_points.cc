#include "kernels/clustering/compared_points.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace vocabseg::kernels {
namespace {

constexpr double kRounding = 1.0 / (1 << 24);  // relative error of a float32 operation
// More than what products of tiny numbers lose below float32's range.
constexpr double kUnderflow = 1e-36;
// Decides as an infinite limit does, but can be subtracted from.
constexpr double kLargestLimit = 1e30;

float scale_of(const std::vector<const float*>& points, int64_t d, ThreadPool& pool) {
  std::vector<float> largest(points.size());
  pool.parallel_for(static_cast<int64_t>(points.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) largest[i] = largest_magnitude(points[i], d);
  });
  int exponent = 0;
  std::frexp(*std::max_element(largest.begin(), largest.end()), &exponent);
  return std::ldexp(1.f, -std::clamp(exponent, -126, 126));
}

std::vector<float> scaled_mean(const std::vector<const float*>& points, int64_t d, float scale,
                               ThreadPool& pool) {
  std::vector<float> mean(d);
  pool.parallel_for(d, [&](int64_t begin, int64_t end) {
    std::vector<double> sum(end - begin);
    for (const float* point : points) {
      for (int64_t k = begin; k < end; ++k) sum[k - begin] += point[k];
    }
    const double factor = double{scale} / static_cast<double>(points.size());
    for (int64_t k = begin; k < end; ++k) mean[k] = static_cast<float>(sum[k - begin] * factor);
  });
  return mean;
}

// Bounds the error of |a|^2 + |b|^2 - 2 a.b relative to |a|^2 + |b|^2: the additions of the product
// and of the norms; then roundings of the coordinates (4), of the terms, and of their sums (15,
// wherever the comparison is close).
double relative_error(int64_t d) {
  const int64_t additions = std::min(d, kChain) + (d + kChain - 1) / kChain;
  return static_cast<double>(2 * additions + 32) * kRounding;
}

}  // namespace

// Magnitudes are in the order of their bits, NaN last.
float largest_magnitude(const float* values, int64_t n) {
  int32_t largest = 0;
  for (int64_t k = 0; k < n; ++k) {
    int32_t bits;
    std::memcpy(&bits, values + k, sizeof(bits));
    largest = std::max(largest, bits & 0x7fffffff);
  }
  float magnitude;
  std::memcpy(&magnitude, &largest, sizeof(magnitude));
  return magnitude;
}

ComparedPoints::ComparedPoints(const std::vector<const float*>& points, int64_t d, float limit,
                               ThreadPool& pool)
    : points(points),
      d(d),
      limit(limit),
      scale(scale_of(points, d, pool)),
      mean(scaled_mean(points, d, scale, pool)),
      half_limit(static_cast<float>(std::min(this->limit * scale * scale / 2, kLargestLimit))),
      low((size() + kBlock - 1) / kBlock * kBlock, std::numeric_limits<float>::infinity()),
      high(low) {}

void ComparedPoints::set_norms(const std::vector<float>& norms) {
  const double error = relative_error(d);
  for (size_t i = 0; i < norms.size(); ++i) {
    const double half = 0.5 * norms[i];
    low[i] = static_cast<float>(half * (1 - error) - kUnderflow);
    high[i] = static_cast<float>(half * (1 + error) + kUnderflow);
  }
}

}  // namespace vocabseg::kernels
