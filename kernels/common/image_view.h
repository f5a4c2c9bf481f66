// Images that someone else owns.
#pragma once

#include <cstdint>

namespace vocabseg::kernels {

enum class ChannelOrder { kRgb, kBgr };

// uint8 pixels: the channels of pixel (y, x), in the given order, are the three bytes at
// pixels + y * row_stride + x * pixel_stride. Strides are in bytes and may be negative. Channels
// beyond the third (alpha) are ignored.
struct ImageView {
  const uint8_t* pixels = nullptr;
  int height = 0;
  int width = 0;
  int64_t row_stride = 0;
  int64_t pixel_stride = 3;
  int channels = 3;
  ChannelOrder order = ChannelOrder::kRgb;
};

// A camera's or decoder's frame: luma [height, width], chroma [height / 2, width / 2, (u, v)] in
// BT.601's limited range. Adjacent pixels are adjacent bytes, row strides may be anything.
struct Nv12View {
  const uint8_t* luma = nullptr;
  const uint8_t* chroma = nullptr;
  int height = 0;
  int width = 0;
  int64_t luma_stride = 0;
  int64_t chroma_stride = 0;
};

// Throws ShapeError unless the view has pixels and at least three channels.
void check_image(const ImageView& image);
// Throws ShapeError unless the view has pixels and even sides.
void check_image(const Nv12View& image);

}  // namespace vocabseg::kernels
