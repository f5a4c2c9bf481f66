#include "kernels/pamr/cpu.h"

#include <algorithm>
#include <string>

#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr int kMaxSide = 1 << 24, kMaxDilation = 4096;
constexpr int kBand = 8;                   // rows that a level advances at a time
constexpr int64_t kCacheFloats = 4 << 20;  // that a sweep may keep in flight
constexpr int kMaxLevels = 16;

void check(int height, int width, const std::vector<int>& dilations) {
  if (height < 1 || width < 1 || std::max(height, width) > kMaxSide || dilations.empty()) {
    throw ShapeError("refinement needs an image with sides of 1 to " + std::to_string(kMaxSide) +
                     " and one dilation, got " + std::to_string(height) + " x " +
                     std::to_string(width) + " and " + std::to_string(dilations.size()));
  }
  for (int dilation : dilations) {
    if (dilation >= 1 && dilation <= kMaxDilation) continue;
    throw ShapeError("got dilation " + std::to_string(dilation) + ", expected 1 to " +
                     std::to_string(kMaxDilation));
  }
}

int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

}  // namespace

Pamr::Pamr(int height, int width, const std::vector<int>& dilations, ThreadPool& pool)
    : height_(height), width_(width), dilations_(dilations), pool_(pool) {
  check(height, width, dilations);
  const int largest = *std::max_element(dilations.begin(), dilations.end());
  reach_ = std::min(largest, height - 1);
  margin_ = round_up(std::min(largest, width - 1), kAffinityBlock);
  blocks_ = round_up(width, kAffinityBlock) / kAffinityBlock;
  // An odd number of blocks, so that rows don't meet in the same cache sets.
  pitch_ = 2 * margin_ + (blocks_ | 1) * kAffinityBlock;
  ring_rows_ = std::min(2 * (kBand + reach_), height);
  const int64_t level = int64_t{ring_rows_} * kGroup * pitch_ + (kBand + reach_) * affinity_pitch();
  levels_ = static_cast<int>(std::clamp<int64_t>(kCacheFloats / level, 1, kMaxLevels));
}

Pamr::Pamr(const ImageView& image, const std::vector<int>& dilations, ThreadPool& pool)
    : Pamr(image.height, image.width, dilations, pool) {
  check_image(image);
  compute_affinities([&](int y, int channel, float* row) {
    const uint8_t* pixel = image.pixels + y * image.row_stride + channel;
    for (int x = 0; x < width_; ++x, pixel += image.pixel_stride) row[x] = *pixel;
  });
}

Pamr::Pamr(const float* planes, int height, int width, const std::vector<int>& dilations,
           ThreadPool& pool)
    : Pamr(height, width, dilations, pool) {
  if (!planes) throw ShapeError("got no image planes");
  compute_affinities([&](int y, int channel, float* row) {
    std::copy_n(planes + (int64_t{channel} * height_ + y) * width_, width_, row);
  });
}

void Pamr::pad_row(float* row) const {
  std::fill_n(row - margin_, margin_, row[0]);
  std::fill(row + width_, row + pitch_ - margin_, row[width_ - 1]);
}

float* Pamr::affinities(int y) const { return affinities_.get() + y * affinity_pitch(); }

template <class Row>
void Pamr::look_around(int y, const Row& row, Neighbourhood* around) const {
  for (int dilation : dilations_) {
    // Beyond the image lies its border row or column, wherever.
    *around++ = {row(std::max(y - dilation, 0)), row(y), row(std::min(y + dilation, height_ - 1)),
                 std::min(dilation, width_ - 1)};
  }
}

template <class Fill>
void Pamr::compute_affinities(const Fill& fill) {
  const auto dilations = static_cast<int>(dilations_.size());
  const AlignedFloats image = aligned_floats(int64_t{height_} * 3 * pitch_);
  const auto row = [&](int y) { return image.get() + int64_t{y} * 3 * pitch_ + margin_; };
  pool_.parallel_for(height_, [&](int64_t begin, int64_t end) {
    for (auto y = static_cast<int>(begin); y < end; ++y) {
      for (int channel = 0; channel < 3; ++channel) {
        fill(y, channel, row(y) + channel * pitch_);
        pad_row(row(y) + channel * pitch_);
      }
    }
  });
  affinities_ = aligned_floats(height_ * affinity_pitch());
  pool_.parallel_for(height_, [&](int64_t begin, int64_t end) {
    std::vector<Neighbourhood> around(dilations);
    for (auto y = static_cast<int>(begin); y < end; ++y) {
      look_around(y, row, around.data());
      affinity_row(around.data(), dilations, pitch_, blocks_, affinities(y));
    }
  });
}

void Pamr::refine(float* maps, int64_t count, int steps) {
  if (steps < 0) throw ShapeError("got " + std::to_string(steps) + " steps, expected at least 0");
  if (!rings_) rings_ = aligned_floats(int64_t{levels_ + 1} * ring_rows_ * kGroup * pitch_);
  // Equal shares: a last group of one map, or a last sweep of one step, would read as much.
  const int64_t groups = (count + kGroup - 1) / kGroup;
  const int sweeps = steps / levels_ + (steps % levels_ != 0);
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t first = count * group / groups, end = count * (group + 1) / groups;
    for (int i = 0; i < sweeps; ++i) {
      const int64_t done = int64_t{steps} * i / sweeps, next = int64_t{steps} * (i + 1) / sweeps;
      sweep(maps + first * height_ * width_, static_cast<int>(end - first),
            static_cast<int>(next - done));
    }
  }
}

// Level 0 is a copy of the maps; level t + 1 is computed from level t and lags behind it by a band
// and the reach, so that within a round no row depends on another.
void Pamr::sweep(float* maps, int count, int steps) {
  const int lag = kBand + reach_;
  const int rounds = (height_ + steps * lag + kBand - 1) / kBand;
  for (int round = 0; round < rounds; ++round) {
    const auto body = [&](int64_t begin, int64_t end) {
      std::vector<Neighbourhood> around(dilations_.size());
      for (int64_t i = begin; i < end; ++i) {
        const auto level = static_cast<int>(i / kBand);
        const int y = round * kBand - level * lag + static_cast<int>(i % kBand);
        if (y >= 0 && y < height_) compute_row(maps, count, steps, level, y, around.data());
      }
    };
    pool_.parallel_for(int64_t{steps + 1} * kBand, body, kBand / 2);
  }
}

void Pamr::compute_row(float* maps, int count, int steps, int level, int y,
                       Neighbourhood* around) const {
  const int64_t pixels = int64_t{height_} * width_;
  float* map_row = maps + int64_t{y} * width_;
  float* row = ring_row(level, y);
  if (level > 0) {
    look_around(
        y, [&](int at) { return ring_row(level - 1, at); }, around);
    refine_row(affinities(y), around, static_cast<int>(dilations_.size()), count, pitch_, blocks_,
               row, pitch_);
  }
  for (int m = 0; m < count; ++m, row += pitch_, map_row += pixels) {
    if (level == 0) std::copy_n(map_row, width_, row);
    if (level == steps) {
      std::copy_n(row, width_, map_row);
    } else {
      pad_row(row);
    }
  }
}

float* Pamr::ring_row(int level, int y) const {
  const int64_t row = int64_t{level} * ring_rows_ + y % ring_rows_;
  return rings_.get() + row * kGroup * pitch_ + margin_;
}

}  // namespace vocabseg::kernels
