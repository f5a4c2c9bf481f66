// What one row of an image or a map reads: the vector bodies of pamr.
#pragma once

#include <cstdint>

namespace vocabseg::kernels {

// Affinities are stored in blocks of 16 pixels, [height, blocks, neighbours, 16], whatever the
// vector length, so that a row of them is read front to back.
constexpr int kAffinityBlock = 16;

// Column 0 of the rows that lie `dilation` above, at, and `dilation` below a pixel row. Several
// maps lie behind each other, `stride` floats apart. Rows are readable `dilation` columns to the
// left and right, and to whole blocks.
struct Neighbourhood {
  const float *up, *middle, *down;
  int64_t dilation;
};

// Affinities [blocks, 8 * dilations, 16] of one row of an image, whose three channels are maps.
void affinity_row(const Neighbourhood* around, int dilations, int64_t stride, int blocks,
                  float* affinities);

// out(map, x) = sum of affinity * neighbour, for one row of `maps` maps.
void refine_row(const float* affinities, const Neighbourhood* around, int dilations, int maps,
                int64_t stride, int blocks, float* out, int64_t out_stride);

}  // namespace vocabseg::kernels
