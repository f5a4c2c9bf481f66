// Tables that the kernels of a frame read, as the Triton launchers make them (kernels/*/triton.py).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/axis_weights.h"
#include "kernels/common/window_plan.h"

namespace vocabseg::cuda {

// [4, length]: low and high pixel, and their weights in 1 / 2048 (OpenCV's INTER_LINEAR, which at
// the border drops the fraction of columns, not of rows).
std::vector<int32_t> bilinear_taps(int size, int length, bool keep_border_fraction);

// Pillow's BICUBIC along an axis.
struct CubicTable {
  int taps = 0;
  std::vector<int32_t> first;    // [length]
  std::vector<int32_t> weights;  // [taps, length], in units of 2^-22
};
CubicTable cubic_table(int size, int length);

// An axis of label decoding, [taps, pixels]: where a patch's score lies, counted from the query's
// first in the first window, and its weight. What has weight 0 is not read.
struct TapTable {
  int taps = 0;
  std::vector<int64_t> offset;
  std::vector<float> weight;
};
// `window` is the distance from one window's scores to the next, `patch` from one patch's.
TapTable tap_table(const kernels::AxisWeights& axis, int64_t window, int64_t patch);

// An axis of mask pooling: the pixels that each patch reaches.
struct SpanTable {
  int patches = 0, span = 0;
  std::vector<int32_t> first;  // [patches]
  std::vector<float> weights;  // [patches, span], from the first pixel on
  std::vector<int32_t> owner;  // [pixels] the patch that weighs most there
  std::vector<int32_t> at;     // [patches] where a patch lies among the patches of all windows
};
SpanTable span_table(const kernels::AxisWeights& axis, int64_t window, int64_t patch);

}  // namespace vocabseg::cuda
