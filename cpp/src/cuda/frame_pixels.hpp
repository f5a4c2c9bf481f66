// A frame for the device, wherever its bytes are.
#pragma once

#include <cstdint>

#include "vocabseg/engine.hpp"
#include "vocabseg/segmenter.hpp"

namespace vocabseg::cuda {

// The caller owns the bytes, and keeps them until the call that took them returns. Strides are in
// bytes; rows go downwards.
struct FramePixels {
  Memory memory = Memory::kHost;
  int width = 0, height = 0;
  const uint8_t* pixels = nullptr;  // RGB; luma [height, width] if there is chroma
  int64_t row_stride = 0;           // 0: no gaps between rows
  int64_t pixel_stride = 3;         // RGB only: 3, or 4 to skip a channel
  const uint8_t* chroma = nullptr;  // NV12: [height / 2, width / 2, (u, v)], BT.601 limited range
  int64_t chroma_stride = 0;
};

// An image in host memory.
inline FramePixels pixels_of(const ImageView& image) {
  return {Memory::kHost,    image.width,        image.height, image.pixels,
          image.row_stride, image.pixel_stride, nullptr,      0};
}

// Fills strides of 0. Throws ImageError on what the kernels cannot read.
FramePixels checked(FramePixels pixels);

}  // namespace vocabseg::cuda
