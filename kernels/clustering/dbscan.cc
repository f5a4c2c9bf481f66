#include <hwy/base.h>

#include <cmath>
#include <string>

#include "kernels/clustering/compared_points.h"
#include "kernels/clustering/cpu.h"
#include "kernels/clustering/neighbours.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

// Their squares are float32 numbers.
constexpr float kSmallestEps = 1e-18f, kLargestEps = 1e18f;

void check(int64_t n, int64_t d, float eps, int min_samples) {
  if (n < 0 || d < 1) {
    throw ShapeError("got points [" + std::to_string(n) + ", " + std::to_string(d) +
                     "], expected at least one coordinate");
  }
  if (!(eps >= kSmallestEps && eps <= kLargestEps) || min_samples < 1) {
    throw ShapeError("got eps " + std::to_string(eps) + " and min_samples " +
                     std::to_string(min_samples) + ", expected 1e-18 to 1e18 and at least 1");
  }
}

// The indices of the rows without NaN and infinity.
std::vector<int64_t> finite_rows(const float* rows, int64_t n, int64_t d, ThreadPool& pool) {
  std::vector<uint8_t> finite(n);
  pool.parallel_for(n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      finite[i] = std::isfinite(largest_magnitude(rows + i * d, d));
    }
  });
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < n; ++i) {
    if (finite[i]) indices.push_back(i);
  }
  return indices;
}

std::vector<uint8_t> core_points(const BitMatrix& near, int64_t n, int min_samples) {
  std::vector<uint8_t> core(n);
  for (int64_t i = 0; i < n; ++i) {
    size_t count = 0;
    for (int64_t w = 0; w < near.words; ++w) count += hwy::PopCount(near.row(i)[w]);
    core[i] = count >= static_cast<size_t>(min_samples);
  }
  return core;
}

// Grows one cluster after the other from its first core point.
std::vector<int32_t> label_points(const BitMatrix& near, int64_t n, int min_samples) {
  const std::vector<uint8_t> core = core_points(near, n, min_samples);
  std::vector<int32_t> labels(n, -1);
  std::vector<uint64_t> unlabelled(near.words, ~uint64_t{0});
  std::vector<int64_t> waiting;
  int32_t cluster = 0;
  const auto take = [&](int64_t point) {
    labels[point] = cluster;
    if (core[point]) waiting.push_back(point);
  };
  for (int64_t i = 0; i < n; ++i) {
    if (!core[i] || labels[i] >= 0) continue;
    unlabelled[i / 64] &= ~(uint64_t{1} << (i % 64));
    for (take(i); !waiting.empty();) {
      const uint64_t* row = near.row(waiting.back());
      waiting.pop_back();
      for (int64_t w = 0; w < near.words; ++w) {
        uint64_t found = row[w] & unlabelled[w];
        unlabelled[w] ^= found;
        for (; found; found &= found - 1) {
          take(w * 64 + static_cast<int64_t>(hwy::Num0BitsBelowLS1Bit_Nonzero64(found)));
        }
      }
    }
    ++cluster;
  }
  return labels;
}

}  // namespace

std::vector<int32_t> dbscan(const float* rows, int64_t n, int64_t d, float eps, int min_samples,
                            ThreadPool& pool) {
  check(n, d, eps, min_samples);
  const std::vector<int64_t> finite = finite_rows(rows, n, d, pool);
  std::vector<const float*> points;
  for (int64_t i : finite) points.push_back(rows + i * d);
  const BitMatrix near = neighbours(points, d, eps * eps, pool);
  const auto found = label_points(near, static_cast<int64_t>(points.size()), min_samples);
  std::vector<int32_t> labels(n, -1);
  for (size_t i = 0; i < finite.size(); ++i) labels[finite[i]] = found[i];
  return labels;
}

}  // namespace vocabseg::kernels
