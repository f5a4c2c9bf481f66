// What the two resizes share.
#pragma once

#include <string>

#include "kernels/common/image_view.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {

inline void check_resize(const ImageView& image, int h, int w) {
  check_image(image);
  if (h > 0 && w > 0) return;
  throw ShapeError("cannot resize to " + std::to_string(h) + " x " + std::to_string(w) +
                   "; expected at least 1 x 1");
}

inline const uint8_t* image_row(const ImageView& image, int y) {
  return image.pixels + y * image.row_stride;
}

}  // namespace vocabseg::kernels
