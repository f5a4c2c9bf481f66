#include "kernels/mask_pooling/moments.h"

#include <algorithm>

namespace vocabseg::kernels {

BandWeights::BandWeights(const Segments& lines, const Segments& runs)
    : lines_(lines), runs_(runs), level_(runs.patches), ramp_(runs.patches) {}

double BandWeights::add(int band, Moments* moments, int first, int last, float* sums) {
  double count = 0;
  int low = runs_.patches, high = 0;
  for (int s = first; s <= last; ++s) {
    const Moments block = moments[s];
    if (block.count == 0) continue;
    moments[s] = {};
    count += block.count;
    const Segment& segment = runs_.segment[s];
    for (int k = segment.first_tap; k < segment.last_tap; ++k) {
      const SegmentTap& tap = runs_.taps[k];
      level_[tap.patch] += tap.level * block.count - tap.slope * block.run;
      ramp_[tap.patch] += tap.level * block.line - tap.slope * block.both;
    }
    low = std::min(low, runs_.taps[segment.first_tap].patch);
    high = std::max(high, runs_.taps[segment.last_tap - 1].patch + 1);
  }
  if (low >= high) return count;
  const Segment& lines = lines_.segment[band];
  for (int k = lines.first_tap; k < lines.last_tap; ++k) {
    const SegmentTap& tap = lines_.taps[k];
    float* row = sums + int64_t{tap.patch} * runs_.patches;
    for (int patch = low; patch < high; ++patch) {
      row[patch] += tap.level * level_[patch] - tap.slope * ramp_[patch];
    }
  }
  std::fill(level_.begin() + low, level_.begin() + high, 0.f);
  std::fill(ramp_.begin() + low, ramp_.begin() + high, 0.f);
  return count;
}

}  // namespace vocabseg::kernels
