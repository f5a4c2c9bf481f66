// Pixel-adaptive mask refinement.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/image_view.h"
#include "kernels/common/thread_pool.h"

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
  // The image at the size of the maps; its scale and offset per channel do not matter.
  // Throws ShapeError on an empty image, no dilation or one < 1.
  Pamr(const ImageView& image, const std::vector<int>& dilations, ThreadPool& pool);
  // The same from float32 planes [3, height, width].
  Pamr(const float* planes, int height, int width, const std::vector<int>& dilations,
       ThreadPool& pool);

  // Refines a map [height, width] in place. The object keeps a buffer: one refine at a time.
  void refine(float* map, int steps);

 private:
  struct Offset {
    int y, x;
  };

  int padded_width() const { return width_ + 2 * pad_; }
  // The row of a padded map that lies `offset` away from row y, borders replicated.
  const float* neighbour_row(const float* map, int y, Offset offset) const;
  void copy_padded(const float* map, float* padded);
  void pad_row(float* row) const;
  void compute_affinities(const std::vector<float>& planes);
  void add_channel(const float* plane, int y, float* affinity) const;
  void softmax_row(float* affinity) const;
  void step(const std::vector<float>& in, std::vector<float>& out);

  int height_, width_;
  int pad_ = 0;  // the largest dilation: maps are replicated so far to the left and right
  std::vector<Offset> neighbours_;
  ThreadPool& pool_;
  std::vector<float> affinities_;      // [height, neighbours, width]
  std::vector<float> current_, next_;  // [height, padded width]
};

}  // namespace vocabseg::kernels
