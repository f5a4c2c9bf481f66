// CLIPtrase's segments: clusters of patches, drawn at the frame's size.
#pragma once

#include <cstdint>
#include <vector>

#include "frame_encoder.hpp"
#include "kernels/common/thread_pool.h"
#include "vocabseg/bundle.hpp"

namespace vocabseg {

// The clusters of one window, and a map of each: [count, factor * grid_h, factor * grid_w].
struct WindowClusters {
  int count = 0;
  std::vector<float> maps;
};

// Clusters of the windows of a batch, by their rows of the output "affinity".
std::vector<WindowClusters> find_clusters(const WindowBatch& batch, const SegmentVote& step,
                                          int grid_h, int grid_w, kernels::ThreadPool& pool);

// The segment of each pixel of a frame, int32 [height, width]: the cluster whose map is largest
// there, in the window whose centre is nearest. Segments are numbered from 0, window by window,
// without gaps; pixels of a window without clusters are -1.
struct SegmentMap {
  int64_t count = 0;
  std::vector<int32_t> ids;
};
SegmentMap draw_segments(const std::vector<WindowClusters>& windows, const FramePlan& plan,
                         int factor, kernels::ThreadPool& pool);

}  // namespace vocabseg
