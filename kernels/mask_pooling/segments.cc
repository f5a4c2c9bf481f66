#include "kernels/mask_pooling/segments.h"

#include <algorithm>
#include <cmath>

namespace vocabseg::kernels {
namespace {

// Float32 rounding of the weights, as seen in second differences.
constexpr double kBend = 4e-7;
// A pixel with a smaller weight is a segment of its own, so that rounding in its neighbours' sums
// can't swallow or invent it.
constexpr float kSmallWeight = 1.0f / 256;

class Splitter {
 public:
  explicit Splitter(const AxisWeights& axis) : axis_(axis) {}

  // End of the longest segment from `begin`.
  int end_of(int begin) const {
    const int limit = std::min(axis_.rows, begin + Segments::kMaxLength);
    int end = begin + 1;
    if (has_small_weight(begin)) return end;
    while (end < limit && continues(begin, end)) ++end;
    while (!is_linear(begin, end)) end = begin + (end - begin) / 2;
    return end;
  }

  double slope(int begin, int end, int tap) const {
    const int last = end - 1;
    return last == begin ? 0 : (weight(last, tap) - weight(begin, tap)) / (last - begin);
  }

  double weight(int pixel, int tap) const { return axis_.weight[axis_.offset[pixel] + tap]; }
  int taps(int pixel) const { return axis_.offset[pixel + 1] - axis_.offset[pixel]; }

 private:
  bool has_small_weight(int pixel) const {
    for (int tap = 0; tap < taps(pixel); ++tap) {
      if (weight(pixel, tap) < kSmallWeight) return true;
    }
    return false;
  }

  bool same_patches(int a, int b) const {
    return std::equal(&axis_.index[axis_.offset[a]], &axis_.index[axis_.offset[a]] + taps(a),
                      &axis_.index[axis_.offset[b]], &axis_.index[axis_.offset[b]] + taps(b));
  }

  bool continues(int begin, int pixel) const {
    if (!same_patches(begin, pixel) || has_small_weight(pixel)) return false;
    if (pixel < begin + 2) return true;
    for (int tap = 0; tap < taps(pixel); ++tap) {
      const double bend = weight(pixel, tap) - 2 * weight(pixel - 1, tap) + weight(pixel - 2, tap);
      if (std::abs(bend) > kBend) return false;
    }
    return true;
  }

  // Whether the line through the ends meets every pixel between them.
  bool is_linear(int begin, int end) const {
    for (int tap = 0; tap < taps(begin); ++tap) {
      const double rise = slope(begin, end, tap);
      for (int pixel = begin + 1; pixel < end - 1; ++pixel) {
        const double line = weight(begin, tap) + rise * (pixel - begin);
        if (std::abs(line - weight(pixel, tap)) > kBend) return false;
      }
    }
    return true;
  }

  const AxisWeights& axis_;
};

}  // namespace

Segments::Segments(const AxisWeights& axis)
    : pixels(axis.rows), patches(axis.columns()), of_pixel(axis.rows) {
  const Splitter splitter(axis);
  for (int begin = 0; begin < pixels;) {
    const int end = splitter.end_of(begin);
    const auto first_tap = static_cast<int>(taps.size());
    for (int tap = 0; tap < splitter.taps(begin); ++tap) {
      const double slope = splitter.slope(begin, end, tap);
      const double level = splitter.weight(end - 1, tap);
      taps.push_back({axis.index[axis.offset[begin] + tap], static_cast<float>(level),
                      static_cast<float>(slope)});
    }
    std::fill(of_pixel.begin() + begin, of_pixel.begin() + end, size());
    segment.push_back({begin, end, first_tap, static_cast<int>(taps.size())});
    begin = end;
  }
}

}  // namespace vocabseg::kernels
