// From masks and patch features to a class per mask.
#pragma once

#include <vector>

#include "frame_encoder.hpp"
#include "kernels/common/thread_pool.h"
#include "vocabseg/segmenter.hpp"

namespace vocabseg {

// Makes rows of width `dim` unit; zero rows stay zero.
void normalize_rows(std::vector<float>& rows, size_t dim);

// The mean of the frame's up-sampled unit features over each mask, made unit again: fills
// `features` and `area`. The masks are of the frame's size. Throws MaskError on a bad run-length
// code.
void pool_masks(const float* features, const FramePlan& plan, const Masks& masks,
                kernels::ThreadPool& pool, RegionLabels& out);

// Softmax over queries of logit_scale * cosine, maximum per class, best class: fills `class_ids`
// and `scores`.
void classify_regions(const Vocabulary& vocabulary, float logit_scale, kernels::ThreadPool& pool,
                      RegionLabels& out);

}  // namespace vocabseg
