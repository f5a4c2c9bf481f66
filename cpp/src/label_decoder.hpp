// From query scores to labels, with the post-steps of the bundle.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "frame_encoder.hpp"
#include "kernels/common/image_view.h"
#include "kernels/common/thread_pool.h"
#include "kernels/label_decoding/cpu.h"
#include "segments.hpp"
#include "vocabseg/bundle.hpp"
#include "vocabseg/segmenter.hpp"

namespace vocabseg {

struct DecodeInput {
  const kernels::ImageView& image;
  const FramePlan& plan;
  const Vocabulary& vocabulary;
  const float* scores;         // [windows, queries, patches] cosines
  const SegmentMap* segments;  // for the step segment_vote
};

// Fills labels and scores of `out`, whose size and options are set. `check` may throw.
void decode(const DecodeInput& input, const PostSteps& steps, float logit_scale, float threshold,
            bool want_scores, kernels::ThreadPool& pool, const std::function<void()>& check,
            Segmentation& out);

}  // namespace vocabseg
