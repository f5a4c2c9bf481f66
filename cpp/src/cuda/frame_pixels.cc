#include "cuda/frame_pixels.hpp"

#include <string>

#include "checks.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::cuda {
namespace {

void check_rows(const char* what, int64_t stride, int64_t bytes, int rows) {
  if (rows == 1 || stride >= bytes) return;
  throw ImageError(std::string(what) + " lie " + std::to_string(stride) +
                   " bytes apart, expected at least " + std::to_string(bytes) +
                   " downwards; copy the image, or use a backend on the CPU");
}

}  // namespace

bool readable(const ImageView& image) {
  const int64_t row = image.width * image.pixel_stride;
  return (image.pixel_stride == 3 || image.pixel_stride == 4) &&
         (image.row_stride == 0 || image.row_stride >= row);
}

FramePixels checked(FramePixels pixels) {
  check_size(pixels.height, pixels.width);
  if (!pixels.pixels) throw ImageError("the image has no memory: pixels is null");
  if (pixels.chroma) pixels.pixel_stride = 1;
  const int64_t row = pixels.width * pixels.pixel_stride;
  if (pixels.row_stride == 0) pixels.row_stride = row;
  if (pixels.chroma) {
    if (pixels.width % 2 != 0 || pixels.height % 2 != 0) {
      throw ImageError("an NV12 frame of " + size_text(pixels.height, pixels.width) +
                       ", expected even sides; crop it");
    }
    if (pixels.chroma_stride == 0) pixels.chroma_stride = pixels.width;
    check_rows("rows of luma", pixels.row_stride, row, pixels.height);
    check_rows("rows of chroma", pixels.chroma_stride, row, pixels.height / 2);
  } else if (pixels.pixel_stride != 3 && pixels.pixel_stride != 4) {
    throw ImageError("pixels lie " + std::to_string(pixels.pixel_stride) +
                     " bytes apart, expected 3 or 4 for a GPU; copy the image");
  } else {
    check_rows("rows", pixels.row_stride, row - pixels.pixel_stride + 3, pixels.height);
  }
  return pixels;
}

}  // namespace vocabseg::cuda
