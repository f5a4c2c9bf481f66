#include "checks.hpp"

#include <cmath>
#include <cstdint>

#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 27;

}  // namespace

std::string size_text(int height, int width) {
  return std::to_string(height) + " x " + std::to_string(width) + " (rows x columns)";
}

void check_size(int height, int width) {
  if (height < 1 || width < 1) {
    throw ImageError("the image has no pixels: " + size_text(height, width));
  }
  if (int64_t{height} * width > kMaxPixels) {
    throw ImageError("the image has " + size_text(height, width) + " pixels, more than " +
                     std::to_string(kMaxPixels) + "; make it smaller first");
  }
}

kernels::ImageView checked_view(const ImageView& image) {
  check_size(image.height, image.width);
  if (!image.pixels) throw ImageError("the image has no memory: pixels is null");
  kernels::ImageView view;
  view.pixels = image.pixels;
  view.height = image.height;
  view.width = image.width;
  view.pixel_stride = image.pixel_stride;
  view.row_stride = image.row_stride ? image.row_stride : image.width * image.pixel_stride;
  return view;
}

void check_masks(const Masks& masks, int height, int width) {
  if (masks.height == height && masks.width == width) return;
  throw MaskError("masks of " + size_text(masks.height, masks.width) + " for an image of " +
                  size_text(height, width));
}

void check_vocabulary(const Vocabulary& vocabulary, int dim) {
  const Words& words = vocabulary.words;
  const size_t queries = words.query_to_class.size();
  if (queries == 0 || words.names.empty()) {
    throw VocabularyError("the vocabulary is empty; give at least one class, such as \"road\"");
  }
  if (vocabulary.dim != dim) {
    throw VocabularyError("text rows are " + std::to_string(vocabulary.dim) +
                          " wide, the bundle's features " + std::to_string(dim) +
                          "; make them for this bundle with `vocabseg vocab build`");
  }
  if (words.names.size() > 65535 || words.queries.size() != queries ||
      vocabulary.embeddings.size() != queries * static_cast<size_t>(dim)) {
    throw VocabularyError(
        std::to_string(words.names.size()) + " classes, " + std::to_string(words.queries.size()) +
        " words, " + std::to_string(queries) + " class indices and " +
        std::to_string(vocabulary.embeddings.size()) + " values do not fit together");
  }
  const auto classes = static_cast<int32_t>(words.names.size());
  for (const auto* indices : {&words.query_to_class, &words.background}) {
    for (const int32_t index : *indices) {
      if (index < 0 || index >= classes) {
        throw VocabularyError("class index " + std::to_string(index) + " is not one of " +
                              std::to_string(classes) + " classes");
      }
    }
  }
  for (const float value : vocabulary.embeddings) {
    if (!std::isfinite(value)) throw VocabularyError("a text row holds a value that is not finite");
  }
}

}  // namespace vocabseg
