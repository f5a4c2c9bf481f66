// The mean of bilinearly up-sampled patch features over masks, without up-sampling the features.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/axis_weights.h"
#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

// COCO run lengths of a mask that is read column by column: background first (its run may be 0),
// then mask, background, ... in turn.
using RleCounts = std::vector<uint32_t>;

// Masks are pushed down through the transposed up-sampling: weights [M, W, gh, gw] float32 with
// W = rows.windows * cols.windows, gh = rows.grid, gw = cols.grid; area [M] pixels. A row sums to
// 1, or is zero where the mask is empty. Masks have rows.rows x cols.rows pixels.

// masks [M, H, W_out] bytes, non-zero: inside.
void mask_weights(const uint8_t* masks, int64_t count, const AxisWeights& rows,
                  const AxisWeights& cols, float* weights, int64_t* area, ThreadPool& pool);

// labels [H, W_out]: mask m is where labels == m; negative values belong to no mask. All masks in
// one pass per thread. Throws MaskError on labels >= count.
void mask_weights(const int32_t* labels, int64_t count, const AxisWeights& rows,
                  const AxisWeights& cols, float* weights, int64_t* area, ThreadPool& pool);

// COCO run-length codes, never expanded. Throws MaskError unless each sums to H * W_out.
void mask_weights(const std::vector<RleCounts>& masks, const AxisWeights& rows,
                  const AxisWeights& cols, float* weights, int64_t* area, ThreadPool& pool);

// pooled [count, d] = weights [count, cells] x features [cells, d], cells = W * gh * gw. Cells of
// weight zero have no influence, NaN or not.
void pool_features(const float* weights, int64_t count, const float* features, int64_t cells,
                   int64_t d, float* pooled, ThreadPool& pool);

}  // namespace vocabseg::kernels
