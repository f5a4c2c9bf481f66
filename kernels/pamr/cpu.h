// Pixel-adaptive mask refinement.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/aligned_floats.h"
#include "kernels/common/image_view.h"
#include "kernels/common/thread_pool.h"
#include "kernels/pamr/rows.h"

namespace vocabseg::kernels {

// Pixel-adaptive mask refinement (Araslanov and Roth, "Single-Stage Semantic Segmentation from
// Image Labels", CVPR 2020, section 3.2) as the training-free segmentors use it: affinities of each
// pixel to its 8 neighbours at every dilation,
//   a_n = mean over RGB of -|I - I_n| / (1e-8 + 0.1 * std),   w = softmax over neighbours of a,
// std unbiased over all 9 samples of every dilation (the centre counts once per dilation), borders
// replicated; then map <- sum of w_n * map_n, `steps` times. Affinities are computed once per
// image.
class Pamr {
 public:
  // Maps that are refined together, sharing each read of the affinities: whoever makes maps on the
  // fly should hand over so many at a time.
  static constexpr int kGroup = 8;

  // The image at the size of the maps; its scale and offset per channel do not matter.
  // Throws ShapeError on an empty image, no dilation or one < 1.
  Pamr(const ImageView& image, const std::vector<int>& dilations, ThreadPool& pool);
  // The same from float32 planes [3, height, width].
  Pamr(const float* planes, int height, int width, const std::vector<int>& dilations,
       ThreadPool& pool);

  // Refines maps [count, height, width] in place. NaN and infinite values spread, in their own map
  // only, to the pixels that have them as neighbours, one dilation a step. The object keeps a
  // buffer: one refine at a time.
  void refine(float* maps, int64_t count, int steps);

 private:
  Pamr(int height, int width, const std::vector<int>& dilations, ThreadPool& pool);
  // `fill(y, channel, row)` writes a row of the image.
  template <class Fill>
  void compute_affinities(const Fill& fill);
  int64_t affinity_pitch() const {
    return int64_t{kAffinityBlock} * 8 * blocks_ * static_cast<int64_t>(dilations_.size());
  }
  float* affinities(int y) const;
  void pad_row(float* row) const;
  // The neighbourhoods of row y, where `row(y)` is column 0 of any row.
  template <class Row>
  void look_around(int y, const Row& row, Neighbourhood* around) const;

  // Up to `levels_` steps for up to kGroup maps, in one sweep over the rows.
  void sweep(float* maps, int count, int steps);
  void compute_row(float* maps, int count, int steps, int level, int y,
                   Neighbourhood* around) const;
  float* ring_row(int level, int y) const;

  int height_, width_;
  std::vector<int> dilations_;
  ThreadPool& pool_;
  int reach_ = 0;             // the largest dilation, in rows
  int margin_ = 0;            // the same in columns, in whole blocks: rows are replicated so far
  int blocks_ = 0;            // of a row without margins
  int pitch_ = 0;             // floats of a row with margins
  int levels_ = 0;            // steps of a sweep
  int ring_rows_ = 0;         // that a level keeps
  AlignedFloats affinities_;  // [height, blocks, neighbours, 16]
  AlignedFloats rings_;       // [levels + 1, ring rows, kGroup, pitch], made on first use
};

}  // namespace vocabseg::kernels
