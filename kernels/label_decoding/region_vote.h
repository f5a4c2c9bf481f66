// One label per region of a label map.
#pragma once

#include <cstdint>

namespace vocabseg::kernels {

// Region ids must be smaller.
constexpr int32_t kMaxRegions = 1 << 20;

// Gives all pixels of a region (of one id, 0 or more) the class that most of them have, ties to the
// lower class, and as score the share of the region's pixels that have it. Pixels without a class
// (labels of `classes` or more) do not vote; a region without votes becomes `unlabeled`, with score
// 0. Pixels with a negative id stay as they are. class_scores [pixels] may be null.
// Memory: a label per pixel and three numbers per id. Throws MaskError for ids that are too large.
template <class Label>
void vote_regions(const int32_t* regions, int64_t pixels, int classes, int unlabeled, Label* labels,
                  float* class_scores);

extern template void vote_regions<uint8_t>(const int32_t*, int64_t, int, int, uint8_t*, float*);
extern template void vote_regions<uint16_t>(const int32_t*, int64_t, int, int, uint16_t*, float*);

}  // namespace vocabseg::kernels
