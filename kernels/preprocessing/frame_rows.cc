#include "kernels/preprocessing/frame_rows.h"

#include <algorithm>

namespace vocabseg::kernels {
namespace {

constexpr int kPacked = 4;  // bytes of a converted pixel

void pack_row(const uint8_t* pixel, int64_t stride, int width, uint8_t* out) {
  for (int x = 0; x < width; ++x, pixel += stride, out += kPacked) {
    std::copy_n(pixel, 3, out);
    out[3] = 0;
  }
}

}  // namespace

Frame::Frame(const ImageView& view) : image(view), height(view.height), width(view.width) {
  check_image(view);
  packed = view.pixel_stride != 3 && view.pixel_stride != 4;
  // A single pixel has no neighbour that a read of four bytes may touch.
  packed = packed || width == 1;
  pixel_stride = packed ? kPacked : view.pixel_stride;
}

Frame::Frame(const Nv12View& view)
    : nv12(view), height(view.height), width(view.width), packed(true), pixel_stride(kPacked) {
  check_image(view);
}

FrameRows::FrameRows(const Frame& frame, int capacity) : frame_(frame), capacity_(capacity) {
  if (!frame.packed) return;
  rows_.resize(size_t{kPacked} * capacity * frame.width);
  held_.assign(capacity, -1);
}

const uint8_t* FrameRows::get(int y) {
  const ImageView& image = frame_.image;
  if (!frame_.packed) return image.pixels + y * image.row_stride;
  const int place = y % capacity_;
  uint8_t* row = rows_.data() + size_t{kPacked} * place * frame_.width;
  if (held_[place] == y) return row;
  held_[place] = y;
  if (image.pixels) {
    pack_row(image.pixels + y * image.row_stride, image.pixel_stride, frame_.width, row);
  } else {
    const Nv12View& nv12 = frame_.nv12;
    nv12_row(nv12.luma + y * nv12.luma_stride, nv12.chroma + y / 2 * nv12.chroma_stride,
             frame_.width, row);
  }
  return row;
}

}  // namespace vocabseg::kernels
