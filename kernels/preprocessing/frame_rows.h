// Rows of a frame, whatever its format.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/image_view.h"

namespace vocabseg::kernels {

// A frame whose rows can be read as three bytes every `pixel_stride`.
struct Frame {
  explicit Frame(const ImageView& view);
  explicit Frame(const Nv12View& view);

  ImageView image;  // without pixels if the frame is NV12
  Nv12View nv12;
  int height, width;
  bool packed;           // whether rows must be converted, to four bytes a pixel
  int64_t pixel_stride;  // of the rows that FrameRows gives
};

// Reads a frame's rows in place where their pixels lie 3 or more bytes apart, as they do in nearly
// every frame; otherwise converts them.
class FrameRows {
 public:
  // Converted rows stay valid until `capacity` more have been read.
  FrameRows(const Frame& frame, int capacity);
  const uint8_t* get(int y);

 private:
  const Frame& frame_;
  int capacity_;
  std::vector<uint8_t> rows_;
  std::vector<int> held_;  // which row each place holds
};

// Pixels of one NV12 row as red, green, blue and zero bytes, by OpenCV's COLOR_YUV2RGB_NV12.
void nv12_row(const uint8_t* luma, const uint8_t* chroma, int width, uint8_t* out);

}  // namespace vocabseg::kernels
