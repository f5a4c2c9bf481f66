#include "segments.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/clustering/cpu.h"
#include "kernels/label_decoding/cpu.h"

namespace vocabseg {
namespace {

constexpr int kNone = std::numeric_limits<uint16_t>::max();

// Of each pixel along an axis, the window whose centre is nearest; the lower of equals.
std::vector<int> nearest_windows(const std::vector<int>& starts, int window, int net, int pixels) {
  std::vector<int> nearest(static_cast<size_t>(pixels));
  for (int i = 0; i < pixels; ++i) {
    const double at = (i + 0.5) * net / pixels - 0.5 * window;
    const auto closer = [at](int a, int b) { return std::abs(a - at) < std::abs(b - at); };
    nearest[i] =
        static_cast<int>(std::min_element(starts.begin(), starts.end(), closer) - starts.begin());
  }
  return nearest;
}

// The weights with those of other windows than a pixel's own left out.
kernels::AxisWeights of_windows(const kernels::AxisWeights& all, const std::vector<int>& own) {
  kernels::AxisWeights out = all;
  out.offset.assign(1, 0), out.index.clear(), out.weight.clear();
  for (int row = 0; row < all.rows; ++row) {
    for (int k = all.offset[row]; k < all.offset[row + 1]; ++k) {
      if (all.index[k] / all.grid != own[row]) continue;
      out.index.push_back(all.index[k]);
      out.weight.push_back(all.weight[k]);
    }
    out.offset.push_back(static_cast<int>(out.index.size()));
    if (out.offset[row + 1] - out.offset[row] == all.offset[row + 1] - all.offset[row]) continue;
    const auto begin = out.weight.begin() + out.offset[row];
    const float sum = std::accumulate(begin, out.weight.end(), 0.0f);
    std::for_each(begin, out.weight.end(), [sum](float& weight) { weight /= sum; });
  }
  return out;
}

// The maps of all windows, [windows, most, pixels]; -1, which is less than any affinity, where a
// window has fewer clusters.
std::vector<float> padded_maps(const std::vector<WindowClusters>& windows, int most,
                               int64_t pixels) {
  std::vector<float> maps(windows.size() * static_cast<size_t>(most * pixels), -1.0f);
  for (size_t w = 0; w < windows.size(); ++w) {
    std::copy(windows[w].maps.begin(), windows[w].maps.end(),
              maps.begin() + static_cast<std::ptrdiff_t>(w) * most * pixels);
  }
  return maps;
}

// Numbers the ids that are used from 0, in their order.
void close_gaps(SegmentMap& segments) {
  std::vector<int32_t> number(static_cast<size_t>(segments.count), 0);
  for (const int32_t id : segments.ids) {
    if (id >= 0) number[id] = 1;
  }
  int32_t used = 0;
  for (int32_t& entry : number) entry = entry ? used++ : -1;
  for (int32_t& id : segments.ids) {
    if (id >= 0) id = number[id];
  }
  segments.count = used;
}

}  // namespace

std::vector<WindowClusters> find_clusters(const WindowBatch& batch, const SegmentVote& step,
                                          int grid_h, int grid_w, kernels::ThreadPool& pool) {
  const int64_t patches = int64_t{grid_h} * grid_w;
  const auto* affinity = static_cast<const float*>(batch.extra.at("affinity").data);
  std::vector<WindowClusters> out(static_cast<size_t>(batch.count));
  for (WindowClusters& window : out) {
    const auto labels =
        kernels::dbscan(affinity, patches, patches, step.eps, step.min_samples, pool);
    window.count = *std::max_element(labels.begin(), labels.end()) + 1;
    const int64_t pixels = patches * step.upsample * step.upsample;
    window.maps.resize(static_cast<size_t>(window.count * pixels));
    kernels::cluster_maps(affinity, labels.data(), window.count,
                          {grid_h, grid_w, step.upsample, step.median}, window.maps.data(), pool);
    affinity += patches * patches;
  }
  return out;
}

SegmentMap draw_segments(const std::vector<WindowClusters>& windows, const FramePlan& plan,
                         int factor, kernels::ThreadPool& pool) {
  kernels::WindowPlan fine = plan.windows;
  fine.grid_h *= factor, fine.grid_w *= factor;
  SegmentMap out;
  out.ids.assign(static_cast<size_t>(fine.source_h) * fine.source_w, -1);
  std::vector<int32_t> first;  // id of each window's first cluster
  int most = 0;
  for (const WindowClusters& window : windows) {
    first.push_back(static_cast<int32_t>(out.count));
    out.count += window.count;
    most = std::max(most, window.count);
  }
  if (most == 0) return out;

  const auto row_window = nearest_windows(fine.ys, fine.window_h, fine.net_h, fine.source_h);
  const auto col_window = nearest_windows(fine.xs, fine.window_w, fine.net_w, fine.source_w);
  const auto rows = of_windows(kernels::row_weights(fine), row_window);
  const auto cols = of_windows(kernels::col_weights(fine), col_window);
  const auto maps = padded_maps(windows, most, int64_t{fine.grid_h} * fine.grid_w);
  std::vector<int32_t> each(static_cast<size_t>(most));
  std::iota(each.begin(), each.end(), 0);
  kernels::DecodeOptions options;
  options.query_to_class = each.data();
  options.classes = most;
  options.unlabeled = kNone;
  std::vector<uint16_t> clusters(out.ids.size());
  kernels::decode_labels(maps.data(), most, rows, cols, options, clusters.data(), nullptr, pool);
  for (size_t i = 0; i < clusters.size(); ++i) {
    const auto width = static_cast<size_t>(fine.source_w);
    const size_t window = row_window[i / width] * fine.xs.size() + col_window[i % width];
    if (clusters[i] < windows[window].count) out.ids[i] = first[window] + clusters[i];
  }
  close_gaps(out);
  return out;
}

}  // namespace vocabseg
