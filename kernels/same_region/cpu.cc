#include "kernels/same_region/cpu.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/same_region/blur.h"
#include "kernels/same_region/lines.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

void check_grid(int gh, int gw) {
  if (gh > 0 && gw > 0) return;
  throw ShapeError("got a patch grid of " + std::to_string(gh) + " x " + std::to_string(gw) +
                   ", expected at least 1 x 1");
}

// Divides rows [n, n] by their sums and then all by the largest value.
void normalise(float* rows, int64_t n) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    float* row = rows + i * n;
    float sum = 0;
    for (int64_t j = 0; j < n; ++j) sum += row[j] = std::max(row[j], 0.f);
    for (int64_t j = 0; j < n; ++j) row[j] /= sum + 1e-8f;
    largest = std::max(largest, *std::max_element(row, row + n));
  }
  const float scale = std::max(largest, 1e-8f);
  for (int64_t i = 0; i < n * n; ++i) rows[i] /= scale;
}

}  // namespace

void patch_majority(const uint16_t* labels, int height, int width, int classes, int gh, int gw,
                    int32_t* patches, ThreadPool& pool) {
  check_grid(gh, gw);
  if (height < gh || width < gw || classes < 1) {
    throw ShapeError("got labels of " + std::to_string(height) + " x " + std::to_string(width) +
                     " for patches of " + std::to_string(gh) + " x " + std::to_string(gw));
  }
  const int side_y = height / gh, side_x = width / gw;
  pool.parallel_for(gh, [&](int64_t begin, int64_t end) {
    std::vector<int> votes(classes);
    for (auto row = static_cast<int>(begin); row < end; ++row) {
      for (int col = 0; col < gw; ++col) {
        std::fill(votes.begin(), votes.end(), 0);
        for (int y = row * side_y; y < (row + 1) * side_y; ++y) {
          const uint16_t* line = labels + int64_t{y} * width + col * side_x;
          for (int x = 0; x < side_x; ++x) ++votes[line[x]];
        }
        const auto best = std::max_element(votes.begin(), votes.end());
        patches[int64_t{row} * gw + col] = static_cast<int32_t>(best - votes.begin());
      }
    }
  });
}

void same_region(const int32_t* labels, int gh, int gw, const SameRegionOptions& options,
                 float* shared, ThreadPool& pool) {
  check_grid(gh, gw);
  const Lines lines(gh, gw);
  const int64_t n = int64_t{gh} * gw;
  pool.parallel_for(n, [&](int64_t begin, int64_t end) {
    std::vector<float> row(n), scratch(n);
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const bool same = labels[i] == labels[j];
        const bool broken =
            same && options.connected &&
            !lines.one_label(labels, static_cast<int>(i), static_cast<int>(j), options.strict);
        row[j] = !same ? 0.f : broken ? lines.decay(static_cast<int>(i), static_cast<int>(j)) : 1.f;
      }
      if (options.strict) {
        blur_in_plane(row.data(), gh, gw, scratch.data(), shared + i * n);
      } else {
        blur_line(row.data(), n, shared + i * n);
      }
    }
  });
  normalise(shared, n);
}

}  // namespace vocabseg::kernels
