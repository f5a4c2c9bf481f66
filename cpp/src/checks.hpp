// Checks of what callers give to a segmenter.
#pragma once

#include <string>

#include "kernels/common/image_view.h"
#include "vocabseg/segmenter.hpp"
#include "vocabseg/vocabulary.hpp"

namespace vocabseg {

// "480 x 640 (rows x columns)"
std::string size_text(int height, int width);

// Throws ImageError on an empty or gigantic image.
void check_size(int height, int width);

// The image as the kernels take it. Throws ImageError.
kernels::ImageView checked_view(const ImageView& image);

// Throws MaskError unless the masks are of the image's size.
void check_masks(const Masks& masks, int height, int width);

// Throws VocabularyError unless indices, rows and their width fit together and are finite.
void check_vocabulary(const Vocabulary& vocabulary, int dim);

}  // namespace vocabseg
