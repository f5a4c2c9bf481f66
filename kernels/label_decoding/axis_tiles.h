// An axis of output pixels cut where the patches change that pixels draw on.
#pragma once

#include <vector>

#include "kernels/common/axis_weights.h"

namespace vocabseg::kernels {

// Adjacent pixels and the patches that they draw on, as a small dense matrix of weights.
struct AxisTile {
  int begin = 0, end = 0;     // pixels
  std::vector<int> index;     // patches of the composite axis, rising
  int stride = 0;             // of a row of `weight`, room for whole vectors
  std::vector<float> weight;  // [patches, stride]; 0 where a pixel does not draw on a patch

  int pixels() const { return end - begin; }
  int patches() const { return static_cast<int>(index.size()); }
};

// The whole axis. A tile grows while one of its pixels draws on all its patches, so that there are
// few tiles, of about one patch each, and few weights that are 0.
std::vector<AxisTile> cut_axis(const AxisWeights& axis);

// Pixels [begin, end) in tiles without weights that are 0.
std::vector<AxisTile> cut_exactly(const AxisWeights& axis, int begin, int end);

}  // namespace vocabseg::kernels
