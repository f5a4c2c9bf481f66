#include "kernels/common/image_view.h"

#include <string>

#include "vocabseg/error.hpp"

namespace vocabseg::kernels {

void check_image(const ImageView& image) {
  if (image.pixels && image.height > 0 && image.width > 0 && image.channels >= 3) return;
  throw ShapeError("got an image of " + std::to_string(image.height) + " x " +
                   std::to_string(image.width) + " x " + std::to_string(image.channels) +
                   (image.pixels ? "" : " without pixels") +
                   "; expected at least 1 x 1 x 3 uint8: pass an RGB image");
}

}  // namespace vocabseg::kernels
