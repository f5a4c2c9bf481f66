// Masks with a value for every pixel, pushed down to weights of patches.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/mask_pooling/moments.h"

namespace vocabseg::kernels {

// The longest vector of any instruction set, which buffers are longer by.
constexpr int kMaxVectorBytes = 64;

// pixels [H, W], non-zero: inside; or, packed, [H, ceil(W / 8)] with a row's first pixel in the
// highest bit of its first byte. weights [H, W] multiply a mask that is not packed; without pixels,
// they are inside where they are positive.
struct DenseMask {
  const uint8_t* pixels;
  const float* weights = nullptr;
  bool packed = false;
};

// What one thread needs to push down one mask after the other.
struct DenseScratch {
  DenseScratch(const Segments& rows, const Segments& cols);

  BandWeights band;
  std::vector<Moments> moments;              // [cols.size()], zero
  std::vector<uint8_t> counts, ramps;        // [W and a vector more]
  std::vector<float> weights, weight_ramps;  // the same of weights
};

struct Pushed {
  double total = 0;   // summed weights of the mask's pixels
  int64_t area = 0;   // its pixels
  bool valid = true;  // no weight is negative, infinite or NaN
};

// Packed pixels as bytes [H, W].
void expand(const uint8_t* bits, int height, int width, uint8_t* pixels);

// Whether all weights are numbers from 0 on.
bool are_weights(const float* weights, int64_t size);

// sums [rows.patches, cols.patches] = the mask pushed down.
Pushed push_dense(const DenseMask& mask, const Segments& rows, const Segments& cols,
                  DenseScratch& scratch, float* sums);

}  // namespace vocabseg::kernels
