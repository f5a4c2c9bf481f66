#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "kernels/clustering/cpu.h"
#include "kernels/clustering/median.h"
#include "kernels/common/aligned_floats.h"
#include "kernels/common/axis_weights.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr int kMaxSide = 1 << 15, kMaxMedian = 31;

void check(const int32_t* labels, int clusters, const MapSizes& sizes) {
  const auto [gh, gw, factor, median] = sizes;
  const int64_t longest = int64_t{std::max(gh, gw)} * factor;
  if (clusters < 0 || std::min({gh, gw, factor}) < 1 || longest > kMaxSide) {
    throw ShapeError("got " + std::to_string(clusters) + " maps of " + std::to_string(gh) + " x " +
                     std::to_string(gw) + " patches times " + std::to_string(factor) +
                     ", expected sides of 1 to " + std::to_string(kMaxSide));
  }
  if (median < 1 || median > kMaxMedian || median % 2 == 0) {
    throw ShapeError("got a median of " + std::to_string(median) +
                     " pixels, expected an odd number of 1 to " + std::to_string(kMaxMedian));
  }
  const int32_t largest = *std::max_element(labels, labels + int64_t{gh} * gw);
  if (largest >= clusters) {
    throw ShapeError("got label " + std::to_string(largest) + ", expected less than " +
                     std::to_string(clusters));
  }
}

// means [clusters, n]: the mean of each cluster's rows of affinity [n, n].
std::vector<float> cluster_means(const float* affinity, const int32_t* labels, int clusters,
                                 int64_t n, ThreadPool& pool) {
  std::vector<std::vector<int64_t>> members(clusters);
  for (int64_t i = 0; i < n; ++i) {
    if (labels[i] >= 0) members[labels[i]].push_back(i);
  }
  std::vector<float> means(clusters * n);
  pool.parallel_for(n, [&](int64_t begin, int64_t end) {
    std::vector<double> sum(end - begin);
    for (int64_t cluster = 0; cluster < clusters; ++cluster) {
      if (members[cluster].empty()) continue;
      std::fill(sum.begin(), sum.end(), 0);
      for (int64_t row : members[cluster]) {
        for (int64_t k = begin; k < end; ++k) sum[k - begin] += affinity[row * n + k];
      }
      const auto count = static_cast<double>(members[cluster].size());
      for (int64_t k = begin; k < end; ++k) {
        means[cluster * n + k] = static_cast<float>(sum[k - begin] / count);
      }
    }
  });
  return means;
}

// Position i of an axis of `length` that goes on as its mirror image.
int mirrored(int i, int length) {
  const int position = ((i % (2 * length)) + 2 * length) % (2 * length);
  return std::min(position, 2 * length - 1 - position);
}

// The maps of one thread: each is up-sampled a row at a time, just ahead of the median.
class MapRows {
 public:
  MapRows(const AxisWeights& rows, const AxisWeights& cols, const MedianProgram& median)
      : rows_(rows),
        cols_(cols),
        median_(median),
        border_(median.size / 2),
        widened_(rows.grid * median.padded_width),
        memory_(aligned_floats(median.memory)) {}

  // Goes to row y of a map of rows.grid x cols.grid means.
  void start(const float* map, int y) {
    for (int r = 0; r < rows_.grid; ++r) widen(map + r * cols_.grid, widened(r));
    for (int ahead = y - border_; ahead < y + border_; ++ahead) add_row(ahead);
  }

  // The medians of row y, the one after the last.
  void filter(int y, float* out) {
    add_row(y + border_);
    median_row(median_, memory_.get(), out);
  }

 private:
  float* widened(int row) { return widened_.data() + row * median_.padded_width; }

  // Up-samples along x, with borders.
  void widen(const float* patches, float* to) const {
    for (int x = 0; x < median_.padded_width; ++x) {
      const int i = mirrored(x - border_, cols_.rows);
      to[x] = 0;
      for (int k = cols_.offset[i]; k < cols_.offset[i + 1]; ++k) {
        to[x] += cols_.weight[k] * patches[cols_.index[k]];
      }
    }
  }

  // Up-samples along y into the place of the row that the window leaves behind.
  void add_row(int y) {
    float* to = memory_.get() + (y + median_.size) % median_.size * median_.stride;
    const int64_t width = median_.padded_width;
    const int i = mirrored(y, rows_.rows);
    std::fill_n(to, width, 0.f);
    for (int k = rows_.offset[i]; k < rows_.offset[i + 1]; ++k) {
      const float* from = widened(rows_.index[k]);
      for (int64_t x = 0; x < width; ++x) to[x] += rows_.weight[k] * from[x];
    }
    for (int64_t x = 0; x < width; ++x) {
      if (std::isnan(to[x])) to[x] = std::numeric_limits<float>::infinity();
    }
  }

  const AxisWeights &rows_, &cols_;
  const MedianProgram& median_;
  int border_;
  std::vector<float> widened_;
  AlignedFloats memory_;  // as the median takes it
};

}  // namespace

void cluster_maps(const float* affinity, const int32_t* labels, int clusters, const MapSizes& sizes,
                  float* maps, ThreadPool& pool) {
  check(labels, clusters, sizes);
  const auto [gh, gw, factor, size] = sizes;
  const int height = gh * factor, width = gw * factor;
  const std::vector<float> means =
      cluster_means(affinity, labels, clusters, int64_t{gh} * gw, pool);
  const WindowPlan plan = single_window(height, width, gh, gw);
  const AxisWeights rows = row_weights(plan), cols = col_weights(plan);
  const MedianProgram median(size, width);
  pool.parallel_for(int64_t{clusters} * height, [&](int64_t begin, int64_t end) {
    MapRows map(rows, cols, median);
    for (int64_t row = begin; row < end; ++row) {
      const auto y = static_cast<int>(row % height);
      if (row == begin || y == 0) map.start(means.data() + row / height * gh * gw, y);
      map.filter(y, maps + row * width);
    }
  });
}

}  // namespace vocabseg::kernels
