// Masks given as runs, pushed down to weights of patches: the cost is that of the runs.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/mask_pooling/cpu.h"
#include "kernels/mask_pooling/dense_masks.h"
#include "kernels/mask_pooling/moments.h"

namespace vocabseg::kernels {

// sums [cols.patches, rows.patches] (transposed) = the mask pushed down. The counts sum to H * W.
// `band` is that of lines `cols` and runs `rows`; moments [rows.size()] are zero before and after.
Pushed push_runs(const RunLengths& mask, const Segments& rows, const Segments& cols,
                 BandWeights& band, Moments* moments, float* sums);

// Pixels as bytes [H, W].
void expand(const RunLengths& mask, int height, int width, uint8_t* pixels);

// A label map [H, W] with weights per pixel, or null: those of mask m are at weights + m * stride.
struct Labels {
  const int32_t* pixels;
  const float* weights;
  int64_t stride;
};

// sums [count, rows.patches, cols.patches] = the masks of ids [first, first + count) pushed down,
// all in one pass.
void push_labels(const Labels& labels, int64_t first, int64_t count, const Segments& rows,
                 const Segments& cols, float* sums, Pushed* pushed);

}  // namespace vocabseg::kernels
