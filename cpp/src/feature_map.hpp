#pragma once

#include "frame_encoder.hpp"
#include "kernels/common/thread_pool.h"
#include "vocabseg/segmenter.hpp"

namespace vocabseg {

// Window features [windows, patches, dim] on the patch grid of the whole frame: windows are sampled
// at the grid's centres and averaged where they overlap, then every row is made unit again. A frame
// of one window gives that window's features.
FeatureMap merge_windows(const float* features, const kernels::WindowPlan& plan, int patch_size,
                         int dim, kernels::ThreadPool& pool);

}  // namespace vocabseg
