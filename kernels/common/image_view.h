// An image that someone else owns.
#pragma once

#include <cstdint>

namespace vocabseg::kernels {

// uint8 RGB pixels: red, green and blue of pixel (y, x) are the three bytes at
// pixels + y * row_stride + x * pixel_stride. Strides are in bytes and may be negative. Channels
// beyond the third (alpha) are ignored.
struct ImageView {
  const uint8_t* pixels = nullptr;
  int height = 0;
  int width = 0;
  int64_t row_stride = 0;
  int64_t pixel_stride = 3;
  int channels = 3;
};

// Throws ShapeError unless the view has pixels and at least three channels.
void check_image(const ImageView& image);

}  // namespace vocabseg::kernels
