// Every resize between patch grids and output pixels, as one sparse matrix per image axis.
#pragma once

#include <vector>

#include "kernels/common/window_plan.h"

namespace vocabseg::kernels {

// How all resizes of a plan sample, named as in torch.nn.functional.interpolate.
enum class Interpolation {
  kBilinear,      // mode="bilinear", align_corners=False
  kAlignCorners,  // mode="bilinear", align_corners=True
  kNearest,       // mode="nearest"
};

// A sparse matrix in row-compressed form. Row i (an output row or column of pixels) is the weighted
// sum of
//   weight[k] * patch[index[k]],  k in [offset[i], offset[i + 1]),
// where index = window along this axis * grid + patch within the window. Indices of a row rise,
// weights are positive, rows sum to 1.
//
// It is the product  (net -> output, resize) * diag(1 / windows that cover a pixel)
//                  * sum over windows (place in net, padding cut off) * (patch grid -> padded
//                  window, resize),
// which is exact because each factor is separable: the value of an output pixel is
//   sum over k, l of  rows.weight[k] * cols.weight[l] * patch[rows.index[k], cols.index[l]].
struct AxisWeights {
  int rows = 0;     // output length
  int windows = 0;  // windows along the axis
  int grid = 0;     // patches of a window along the axis
  std::vector<int> offset, index;
  std::vector<float> weight;

  int columns() const { return windows * grid; }
};

// The weights of a plan's two axes, for an output of the given length (0: the source's).
AxisWeights row_weights(const WindowPlan& plan, int output_h = 0,
                        Interpolation interpolation = Interpolation::kBilinear);
AxisWeights col_weights(const WindowPlan& plan, int output_w = 0,
                        Interpolation interpolation = Interpolation::kBilinear);

}  // namespace vocabseg::kernels
