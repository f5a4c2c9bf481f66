#include "kernels/preprocessing/cpu.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

using Lookup = std::array<std::array<float, 256>, 3>;

Lookup normalisation(const float mean[3], const float std[3]) {
  Lookup lookup;
  for (int c = 0; c < 3; ++c) {
    if (!std::isfinite(mean[c]) || !(std[c] > 0) || !std::isfinite(std[c])) {
      throw ShapeError("mean must be finite and std positive, got " + std::to_string(mean[c]) +
                       " and " + std::to_string(std[c]));
    }
    for (int v = 0; v < 256; ++v) lookup[c][v] = (static_cast<float>(v) - mean[c]) / std[c];
  }
  return lookup;
}

void check_source(const ImageView& image, const WindowPlan& plan) {
  if (image.height == plan.source_h && image.width == plan.source_w) return;
  throw ShapeError("got an image of " + std::to_string(image.height) + " x " +
                   std::to_string(image.width) + " for a plan of " + std::to_string(plan.source_h) +
                   " x " + std::to_string(plan.source_w) + ": plan each frame size");
}

// Row `y` of all three channels of one padded window at `out` [3, padded_h, padded_w].
void write_row(const uint8_t* net, const WindowPlan& plan, int top, int left, int y,
               const Lookup& lookup, float* out) {
  const int inside = y - plan.pad_top;
  const bool padding = inside < 0 || inside >= plan.window_h;
  if (!padding) net += (static_cast<int64_t>(top + inside) * plan.net_w + left) * 3;
  for (int c = 0; c < 3; ++c) {
    float* row = out + (static_cast<int64_t>(c) * plan.padded_h + y) * plan.padded_w;
    std::fill_n(row, plan.padded_w, 0.f);
    if (padding) continue;
    row += plan.pad_left;
    for (int x = 0; x < plan.window_w; ++x) row[x] = lookup[c][net[x * 3 + c]];
  }
}

}  // namespace

void preprocess(const ImageView& image, const WindowPlan& plan, Resize resize, const float mean[3],
                const float std[3], float* windows, ThreadPool& pool) {
  check_plan(plan);
  check_source(image, plan);
  const Lookup lookup = normalisation(mean, std);
  std::vector<uint8_t> net(static_cast<size_t>(plan.net_h) * plan.net_w * 3);
  const auto resize_u8 =
      resize == Resize::kBilinear ? resize_bilinear_u8 : resize_bicubic_antialias_u8;
  resize_u8(image, net.data(), plan.net_h, plan.net_w, pool);

  const int64_t window_size = int64_t{3} * plan.padded_h * plan.padded_w;
  const auto across = static_cast<int64_t>(plan.xs.size());
  pool.parallel_for(int64_t{plan.windows()} * plan.padded_h, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t window = i / plan.padded_h;
      write_row(net.data(), plan, plan.ys[window / across], plan.xs[window % across],
                static_cast<int>(i % plan.padded_h), lookup, windows + window * window_size);
    }
  });
}

}  // namespace vocabseg::kernels
