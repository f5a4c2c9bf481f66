// The mean of bilinearly up-sampled patch features over masks, without up-sampling the features.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "kernels/common/axis_weights.h"
#include "kernels/common/float_types.h"
#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

// Masks of H x W pixels, in one of these forms.
struct ByteMasks {  // [count, H, W], non-zero: inside
  const uint8_t* data = nullptr;
  int64_t count = 0;
};
struct BitMasks {  // [count, H, ceil(W / 8)], a row's first pixel in the highest bit of its first
                   // byte
  const uint8_t* data = nullptr;
  int64_t count = 0;
};
struct LabelMap {  // [H, W]; mask m is where the value is m, negative belongs to none
  const int32_t* data = nullptr;
  int64_t count = 0;
};
struct RunLengths {  // COCO: pixels column by column, background (0 or more) and mask in turn
  const uint32_t* counts = nullptr;
  int64_t size = 0;
};
struct SoftMasks {  // [count, H, W] weights from 0 on; inside where they are positive
  const float* data = nullptr;
  int64_t count = 0;
};
using Masks = std::variant<ByteMasks, BitMasks, LabelMap, std::vector<RunLengths>, SoftMasks>;

// Weights from 0 on that multiply masks: [H, W], or [count, H, W] with one map per mask. Soft masks
// take none.
struct PixelWeights {
  const float* data = nullptr;
  bool per_mask = false;
};

int64_t count(const Masks& masks);

// Masks [begin, begin + n) are pushed down through the transposed up-sampling: weights
// [n, W, gh, gw] float32 with W = rows.windows * cols.windows, gh = rows.grid, gw = cols.grid. A
// row sums to 1, or is zero where the mask (or its weight) is nothing. area [n]: pixels of a mask.
// Throws MaskError on run lengths that do not sum to H * W, labels of `count` and more, and weights
// that are negative, infinite or NaN.
void mask_weights(const Masks& masks, const PixelWeights& pixel_weights, int64_t begin, int64_t n,
                  const AxisWeights& rows, const AxisWeights& cols, float* weights, int64_t* area,
                  ThreadPool& pool);

// pooled [count, d] = weights [count, cells] x features [cells, d]. Cells of weight zero have no
// influence, NaN or not.
void pool_features(const float* weights, int64_t count, const float* features, int64_t cells,
                   int64_t d, float* pooled, ThreadPool& pool);

// Features of all patches, [W, gh * gw, d].
struct Features {
  const void* data = nullptr;
  FloatType type = FloatType::kFloat32;
  int64_t d = 0;
};

// pooled [count, d] float32: both of the above. Empty masks have area 0 and a zero row.
void mask_pool(const Features& features, const Masks& masks, const PixelWeights& pixel_weights,
               const AxisWeights& rows, const AxisWeights& cols, float* pooled, int64_t* area,
               ThreadPool& pool);

}  // namespace vocabseg::kernels
