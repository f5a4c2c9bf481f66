#include "kernels/mask_pooling/classification.h"

#include <algorithm>
#include <vector>

#include "kernels/patch_text_similarity/cpu.h"

namespace vocabseg::kernels {
namespace {

// Regions that are compared at a time.
constexpr int64_t kChunk = 4096;

// Regions are the pixels of an image of one row, each of which has a patch of its own.
AxisWeights one_to_one(int length) {
  AxisWeights axis;
  axis.rows = axis.grid = length;
  axis.windows = 1;
  for (int i = 0; i < length; ++i) {
    axis.offset.push_back(i);
    axis.index.push_back(i);
    axis.weight.push_back(1);
  }
  axis.offset.push_back(length);
  return axis;
}

}  // namespace

void classify_regions(const float* pooled, const int64_t* area, int64_t count, int64_t d,
                      const float* text, int queries, bool normalize, const DecodeOptions& options,
                      uint16_t* labels, float* scores, ThreadPool& pool) {
  std::vector<float> cosines(static_cast<size_t>(queries * std::min(count, kChunk)));
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    const int64_t n = std::min(kChunk, count - begin);
    patch_text_similarity(pooled + begin * d, n, d, text, queries, normalize, cosines.data(), pool);
    decode_labels(cosines.data(), queries, one_to_one(1), one_to_one(static_cast<int>(n)), options,
                  labels + begin, scores + begin, pool);
  }
  for (int64_t m = 0; m < count; ++m) {
    if (area[m] > 0) continue;
    labels[m] = static_cast<uint16_t>(options.unlabeled);
    scores[m] = 0;
  }
}

}  // namespace vocabseg::kernels
