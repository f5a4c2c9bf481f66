#include "kernels/common/image_view.h"

#include <string>

#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

// Byte offsets within a row are 32-bit.
constexpr int kMaxSide = 1 << 24;

bool sides_fit(int height, int width) {
  return height > 0 && width > 0 && height <= kMaxSide && width <= kMaxSide;
}

}  // namespace

void check_image(const ImageView& image) {
  if (image.pixels && sides_fit(image.height, image.width) && image.channels >= 3) return;
  throw ShapeError("got an image of " + std::to_string(image.height) + " x " +
                   std::to_string(image.width) + " x " + std::to_string(image.channels) +
                   (image.pixels ? "" : " without pixels") +
                   "; expected at least 1 x 1 x 3 uint8: pass an RGB image");
}

void check_image(const Nv12View& image) {
  const bool even = image.height % 2 == 0 && image.width % 2 == 0;
  if (image.luma && image.chroma && sides_fit(image.height, image.width) && even) return;
  throw ShapeError("got an NV12 frame of " + std::to_string(image.height) + " x " +
                   std::to_string(image.width) +
                   (image.luma && image.chroma ? "" : " without pixels") +
                   "; expected even sides of at least 2: crop the frame");
}

}  // namespace vocabseg::kernels
