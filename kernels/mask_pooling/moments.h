// What a block of pixels (a segment of lines by a segment of runs) tells of a mask, and how blocks
// become weights of patches.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/mask_pooling/segments.h"

namespace vocabseg::kernels {

// Lines are rows of pixels and runs lie along columns; for run-length codes the other way round.
// In a block of n lines by l pixels, with pixel (i, j) of weight p:
//   count = sum p                run = sum p (l - 1 - j)
//   line = sum p (n - 1 - i)     both = sum p (n - 1 - i) (l - 1 - j)
// For masks of 0 and 1 these are whole numbers under 2^16, so all forms of a mask give the same.
struct Moments {
  float count, run, line, both;
};

// Adds the pixels [begin, end) of one line, for which n - 1 - i is `line`, to moments
// [runs.size()]. Returns the last segment that it touches.
inline int add_run(const Segments& runs, int begin, int end, float line, Moments* moments) {
  int s = runs.of_pixel[begin];
  for (;; ++s) {
    const Segment& segment = runs.segment[s];
    const int stop = end < segment.end ? end : segment.end;
    const int count = stop - begin;
    const int twice = count * (2 * segment.end - 1 - begin - stop);
    const auto pixels = static_cast<float>(count);
    const float run = 0.5f * static_cast<float>(twice);
    Moments& sum = moments[s];
    sum.count += pixels, sum.run += run, sum.line += line * pixels, sum.both += line * run;
    if (stop == end) return s;
    begin = stop;
  }
}

// The same for pixels of weights [end].
inline int add_weighted_run(const Segments& runs, int begin, int end, float line,
                            const float* weights, Moments* moments) {
  int s = runs.of_pixel[begin];
  for (;; ++s) {
    const Segment& segment = runs.segment[s];
    const int stop = end < segment.end ? end : segment.end;
    float total = 0, run = 0;
    for (int x = begin; x < stop; ++x) {
      total += weights[x], run += weights[x] * static_cast<float>(segment.end - 1 - x);
    }
    Moments& sum = moments[s];
    sum.count += total, sum.run += run, sum.line += line * total, sum.both += line * run;
    if (stop == end) return s;
    begin = stop;
  }
}

// Turns the moments of a band (the blocks of one segment of lines) into weights of patches.
class BandWeights {
 public:
  BandWeights(const Segments& lines, const Segments& runs);

  // sums [lines.patches, runs.patches] += the weights of the blocks [first, last] of band `band`.
  // Clears their moments, and returns their summed count.
  double add(int band, Moments* moments, int first, int last, float* sums);

 private:
  const Segments& lines_;
  const Segments& runs_;
  std::vector<float> level_, ramp_;  // [runs.patches] weights of patches along the runs; zero
};

}  // namespace vocabseg::kernels
