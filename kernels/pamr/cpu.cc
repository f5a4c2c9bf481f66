#include "kernels/pamr/cpu.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr int kMaxDilation = 4096;

std::vector<float> to_planes(const ImageView& image) {
  check_image(image);
  const int64_t pixels = int64_t{image.height} * image.width;
  std::vector<float> planes(3 * pixels);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const uint8_t* pixel = image.pixels + y * image.row_stride + x * image.pixel_stride;
      for (int c = 0; c < 3; ++c) planes[c * pixels + int64_t{y} * image.width + x] = pixel[c];
    }
  }
  return planes;
}

}  // namespace

Pamr::Pamr(const ImageView& image, const std::vector<int>& dilations, ThreadPool& pool)
    : Pamr(to_planes(image).data(), image.height, image.width, dilations, pool) {}

Pamr::Pamr(const float* planes, int height, int width, const std::vector<int>& dilations,
           ThreadPool& pool)
    : height_(height), width_(width), pool_(pool) {
  if (!planes || height < 1 || width < 1 || dilations.empty()) {
    throw ShapeError("refinement needs an image of at least 1 x 1 and one dilation, got " +
                     std::to_string(height) + " x " + std::to_string(width) + " and " +
                     std::to_string(dilations.size()));
  }
  for (int dilation : dilations) {
    if (dilation < 1 || dilation > kMaxDilation) {
      throw ShapeError("got dilation " + std::to_string(dilation) + ", expected 1 to " +
                       std::to_string(kMaxDilation));
    }
    for (int y : {-dilation, 0, dilation}) {
      for (int x : {-dilation, 0, dilation}) {
        if (y != 0 || x != 0) neighbours_.push_back({y, x});
      }
    }
    pad_ = std::max(pad_, dilation);
  }
  const int64_t pixels = int64_t{height} * width, padded = int64_t{height} * padded_width();
  std::vector<float> image(3 * padded);
  for (int c = 0; c < 3; ++c) copy_padded(planes + c * pixels, image.data() + c * padded);
  compute_affinities(image);
  current_.resize(padded);
  next_.resize(padded);
}

void Pamr::refine(float* map, int steps) {
  if (steps < 0) throw ShapeError("got " + std::to_string(steps) + " steps, expected at least 0");
  copy_padded(map, current_.data());
  for (int i = 0; i < steps; ++i) {
    step(current_, next_);
    current_.swap(next_);
  }
  for (int y = 0; y < height_; ++y) {
    std::copy_n(neighbour_row(current_.data(), y, {0, 0}), width_, map + int64_t{y} * width_);
  }
}

const float* Pamr::neighbour_row(const float* map, int y, Offset offset) const {
  const int row = std::clamp(y + offset.y, 0, height_ - 1);
  return map + int64_t{row} * padded_width() + pad_ + offset.x;
}

void Pamr::copy_padded(const float* map, float* padded) {
  for (int y = 0; y < height_; ++y) {
    float* row = padded + int64_t{y} * padded_width();
    std::copy_n(map + int64_t{y} * width_, width_, row + pad_);
    pad_row(row);
  }
}

void Pamr::pad_row(float* row) const {
  std::fill_n(row, pad_, row[pad_]);
  std::fill_n(row + pad_ + width_, pad_, row[pad_ + width_ - 1]);
}

void Pamr::compute_affinities(const std::vector<float>& planes) {
  const size_t row = neighbours_.size() * width_;
  affinities_.assign(row * height_, 0.f);
  pool_.parallel_for(height_, [&](int64_t begin, int64_t end) {
    for (auto y = static_cast<int>(begin); y < end; ++y) {
      float* affinity = &affinities_[y * row];
      for (int c = 0; c < 3; ++c) {
        add_channel(planes.data() + int64_t{c} * height_ * padded_width(), y, affinity);
      }
      softmax_row(affinity);
    }
  });
}

// Adds -|I - I_n| / (1e-8 + 0.1 std) / 3 of one channel to affinity [neighbours, width] of row y.
void Pamr::add_channel(const float* plane, int y, float* affinity) const {
  const auto centres = static_cast<float>(neighbours_.size() / 8);  // one per dilation
  const auto samples = static_cast<float>(neighbours_.size()) + centres;
  const float* centre = neighbour_row(plane, y, {0, 0});
  std::vector<float> mean(width_), variance(width_), scale(width_);
  for (int x = 0; x < width_; ++x) mean[x] = centres * centre[x];
  for (Offset offset : neighbours_) {
    const float* other = neighbour_row(plane, y, offset);
    for (int x = 0; x < width_; ++x) mean[x] += other[x];
  }
  const auto square = [](float v) { return v * v; };
  for (int x = 0; x < width_; ++x) {
    mean[x] /= samples;
    variance[x] = centres * square(centre[x] - mean[x]);
  }
  for (Offset offset : neighbours_) {
    const float* other = neighbour_row(plane, y, offset);
    for (int x = 0; x < width_; ++x) variance[x] += square(other[x] - mean[x]);
  }
  for (int x = 0; x < width_; ++x) {
    scale[x] = -1 / (3 * (1e-8f + 0.1f * std::sqrt(variance[x] / (samples - 1))));
  }
  for (Offset offset : neighbours_) {
    const float* other = neighbour_row(plane, y, offset);
    for (int x = 0; x < width_; ++x) affinity[x] += std::abs(centre[x] - other[x]) * scale[x];
    affinity += width_;
  }
}

void Pamr::softmax_row(float* affinity) const {
  const auto neighbours = static_cast<int>(neighbours_.size());
  for (int x = 0; x < width_; ++x) {
    float peak = affinity[x], sum = 0;
    for (int n = 1; n < neighbours; ++n) peak = std::max(peak, affinity[int64_t{n} * width_ + x]);
    for (int n = 0; n < neighbours; ++n) {
      float& weight = affinity[int64_t{n} * width_ + x];
      weight = std::exp(weight - peak);
      sum += weight;
    }
    for (int n = 0; n < neighbours; ++n) affinity[int64_t{n} * width_ + x] /= sum;
  }
}

void Pamr::step(const std::vector<float>& in, std::vector<float>& out) {
  pool_.parallel_for(height_, [&](int64_t begin, int64_t end) {
    for (auto y = static_cast<int>(begin); y < end; ++y) {
      const float* weight = &affinities_[y * neighbours_.size() * width_];
      float* row = &out[int64_t{y} * padded_width()];
      std::fill_n(row + pad_, width_, 0.f);
      for (Offset offset : neighbours_) {
        const float* other = neighbour_row(in.data(), y, offset);
        for (int x = 0; x < width_; ++x) row[pad_ + x] += weight[x] * other[x];
        weight += width_;
      }
      pad_row(row);
    }
  });
}

}  // namespace vocabseg::kernels
