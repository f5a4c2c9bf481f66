// What a segmenter is given: images, frames and masks, as views of Python's memory.
#pragma once

#include <pybind11/numpy.h>

#include "vocabseg/segmenter.hpp"

namespace vocabseg {

// A view of an array, and the array that it looks into.
struct ImageArray {
  pybind11::array array;
  ImageView view;
};

// uint8 [height, width, 3 or 4] of any strides. Throws ImageError.
ImageArray view_image(pybind11::array array);

// A frame that stays where it is, and the arrays that it looks into.
struct FrameArray {
  FramePixels pixels;
  pybind11::object owner;
};

// Masks of an image, from one of the accepted forms; `keep` holds the memory that they look into.
// Throws MaskError.
Masks view_masks(const pybind11::object& value, int image_height, int image_width,
                 pybind11::object& keep);

}  // namespace vocabseg
