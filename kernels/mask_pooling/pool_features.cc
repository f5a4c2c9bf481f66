#include <algorithm>
#include <atomic>
#include <string>

#include "kernels/common/gemm.h"
#include "kernels/mask_pooling/cpu.h"
#include "kernels/mask_pooling/pooled_rows.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

// A mask that touches more than one cell in this many is cheaper in a dense product.
constexpr int64_t kSparse = 4;

bool finite(const float* features, int64_t cells, int64_t d, ThreadPool& pool) {
  std::atomic<bool> result{true};
  pool.parallel_for(cells, [&](int64_t begin, int64_t end) {
    if (!all_finite(features + begin * d, (end - begin) * d)) result = false;
  });
  return result;
}

// Rows of `from` [., width] that `rows` names, one after the other.
std::vector<float> gather(const float* from, int64_t width, const std::vector<int64_t>& rows) {
  std::vector<float> out;
  out.reserve(rows.size() * static_cast<size_t>(width));
  for (int64_t row : rows) out.insert(out.end(), from + row * width, from + (row + 1) * width);
  return out;
}

}  // namespace

void pool_features(const float* weights, int64_t count, const float* features, int64_t cells,
                   int64_t d, float* pooled, ThreadPool& pool) {
  if (count < 0 || cells < 1 || d < 1) {
    throw ShapeError("cannot pool features [" + std::to_string(cells) + ", " + std::to_string(d) +
                     "] over " + std::to_string(count) + " masks");
  }
  // A product lets NaN and infinity times zero through.
  const bool may_multiply = finite(features, cells, d, pool);
  std::vector<uint8_t> dense(static_cast<size_t>(count));
  pool.parallel_for(count, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> index(static_cast<size_t>(cells + 64));
    std::vector<float> value(index.size());
    for (int64_t m = begin; m < end; ++m) {
      const int64_t used = compress_weights(weights + m * cells, cells, index.data(), value.data());
      dense[m] = may_multiply && used * kSparse > cells;
      if (!dense[m]) sum_rows({index.data(), value.data(), used}, features, d, pooled + m * d);
    }
  });
  std::vector<int64_t> rows;
  for (int64_t m = 0; m < count; ++m) {
    if (dense[m]) rows.push_back(m);
  }
  if (rows.empty()) return;
  const auto packed = PackedMatrix::pack(features, d, cells, d, pool);
  const auto products = static_cast<int64_t>(rows.size());
  if (products == count) return gemm(weights, cells, count, packed, pooled, d, pool);
  std::vector<float> product(rows.size() * static_cast<size_t>(d));
  gemm(gather(weights, cells, rows).data(), cells, products, packed, product.data(), d, pool);
  for (int64_t i = 0; i < products; ++i) {
    std::copy_n(product.data() + i * d, d, pooled + rows[i] * d);
  }
}

}  // namespace vocabseg::kernels
