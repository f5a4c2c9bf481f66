// Checks of frames for the device.
#pragma once

#include <cstdint>

#include "vocabseg/segmenter.hpp"

namespace vocabseg::cuda {

// An image in host memory.
inline FramePixels pixels_of(const ImageView& image) {
  return {Memory::kHost,    image.width,        image.height, image.pixels,
          image.row_stride, image.pixel_stride, nullptr,      0};
}

// Whether the kernels can read an image of these strides.
bool readable(const ImageView& image);

// Fills strides of 0. Throws ImageError on what the kernels cannot read.
FramePixels checked(FramePixels pixels);

}  // namespace vocabseg::cuda
