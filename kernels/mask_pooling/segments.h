// An axis of pixels, cut where the weights of its patches bend.
#pragma once

#include <vector>

#include "kernels/common/axis_weights.h"

namespace vocabseg::kernels {

// In a segment of n pixels every patch has a weight that is linear in the pixel j = 0 ... n - 1:
//   weight(j) = level - slope * (n - 1 - j).
struct SegmentTap {
  int patch;
  float level, slope;
};

struct Segment {
  int begin, end;           // pixels
  int first_tap, last_tap;  // in Segments::taps, [first, last)

  int length() const { return end - begin; }
};

struct Segments {
  // The sum of n - 1 - j over a segment fits a byte, and the sum of such sums a float, exactly.
  static constexpr int kMaxLength = 23;

  explicit Segments(const AxisWeights& axis);

  int size() const { return static_cast<int>(segment.size()); }

  int pixels, patches;
  std::vector<Segment> segment;
  std::vector<SegmentTap> taps;
  std::vector<int> of_pixel;  // [pixels] the segment that a pixel lies in
};

}  // namespace vocabseg::kernels
