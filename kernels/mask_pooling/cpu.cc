#include "kernels/mask_pooling/cpu.h"

#include <algorithm>

namespace vocabseg::kernels {
namespace {

// Weights of one chunk of masks; more would make the matrix too large where there are many.
constexpr int64_t kMaxWeights = int64_t{1} << 25;

// Features as float32: those given, or `copy`.
const float* as_float32(const Features& features, int64_t cells, std::vector<float>& copy,
                        ThreadPool& pool) {
  if (features.type == FloatType::kFloat32) return static_cast<const float*>(features.data);
  copy.resize(static_cast<size_t>(cells * features.d));
  pool.parallel_for(cells, [&](int64_t begin, int64_t end) {
    to_float32(element(features.data, features.type, begin * features.d), features.type,
               (end - begin) * features.d, copy.data() + begin * features.d);
  });
  return copy.data();
}

}  // namespace

void mask_pool(const Features& features, const Masks& masks, const PixelWeights& pixel_weights,
               const AxisWeights& rows, const AxisWeights& cols, float* pooled, int64_t* area,
               ThreadPool& pool) {
  const int64_t cells = int64_t{rows.columns()} * cols.columns(), total = count(masks);
  const int64_t chunk = std::min(total, std::max<int64_t>(1, kMaxWeights / cells));
  std::vector<float> copy, weights(static_cast<size_t>(chunk * cells));
  const float* from = as_float32(features, cells, copy, pool);
  for (int64_t begin = 0; begin < total; begin += chunk) {
    const int64_t n = std::min(chunk, total - begin);
    mask_weights(masks, pixel_weights, begin, n, rows, cols, weights.data(), area + begin, pool);
    pool_features(weights.data(), n, from, cells, features.d, pooled + begin * features.d, pool);
  }
}

}  // namespace vocabseg::kernels
