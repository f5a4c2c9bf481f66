#include "frame_encoder.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "kernels/preprocessing/cpu.h"
#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

constexpr int kMaxWindows = 512;
constexpr int64_t kBatch = 64;  // windows per run of the engine: a bound for its memory

kernels::WindowRule window_rule(const Manifest& manifest) {
  const WindowSpec& window = manifest.window;
  kernels::WindowRule rule;
  rule.mode =
      window.mode == WindowMode::kSlide ? kernels::WindowMode::kSlide : kernels::WindowMode::kWhole;
  rule.height = window.height, rule.width = window.width;
  rule.stride_y = window.stride_y, rule.stride_x = window.stride_x;
  rule.short_side = window.short_side, rule.long_side = window.long_side;
  rule.grid_h = manifest.grid_h, rule.grid_w = manifest.grid_w;
  return rule;
}

kernels::Resize resize_filter(const Manifest& manifest) {
  return manifest.window.resize == ResizeFilter::kBilinear ? kernels::Resize::kBilinear
                                                           : kernels::Resize::kBicubicAntialias;
}

[[noreturn]] void too_many_windows(int height, int width, const std::string& windows) {
  throw ImageError("an image of " + std::to_string(height) + " x " + std::to_string(width) +
                   " (rows x columns) needs " + windows + " windows, at most " +
                   std::to_string(kMaxWindows) +
                   " are allowed; cut the image, or export with a larger window or stride");
}

kernels::WindowPlan plan_windows(const Manifest& manifest, int height, int width) {
  kernels::WindowPlan plan;
  try {
    plan = kernels::plan_windows(window_rule(manifest), height, width);
  } catch (const ShapeError&) {  // the rule and the size were checked, so it can only be this
    too_many_windows(height, width, "far too many");
  }
  if (plan.windows() > kMaxWindows) {
    too_many_windows(height, width, std::to_string(plan.windows()));
  }
  return plan;
}

}  // namespace

FrameEncoder::FrameEncoder(const Bundle& bundle, std::unique_ptr<Engine> engine)
    : manifest_(bundle.manifest()), engine_(std::move(engine)) {}

FramePlan FrameEncoder::plan(int height, int width) const {
  FramePlan plan;
  plan.windows = plan_windows(manifest_, height, width);
  plan.rows = kernels::row_weights(plan.windows);
  plan.cols = kernels::col_weights(plan.windows);
  return plan;
}

const float* FrameEncoder::encode(const kernels::ImageView& image, const FramePlan& plan,
                                  kernels::ThreadPool& pool, StageClock& clock,
                                  const std::function<void()>& check) {
  const auto count = static_cast<size_t>(plan.windows.windows());
  const auto pixels = static_cast<size_t>(plan.windows.padded_h) * plan.windows.padded_w;
  windows_.resize(count * 3 * pixels);
  features_.resize(count * static_cast<size_t>(patches() * dim()));
  check();
  kernels::preprocess(image, plan.windows, resize_filter(manifest_), manifest_.mean.data(),
                      manifest_.std.data(), kernels::FloatType::kFloat32, windows_.data(), pool);
  clock.stop("preprocess");
  run_engine(windows_.data(), static_cast<int64_t>(count), features_.data(), check);
  clock.stop("encode");
  return features_.data();
}

void FrameEncoder::run_engine(const float* windows, int64_t count, float* features,
                              const std::function<void()>& check) {
  const int64_t height = manifest_.window.height, width = manifest_.window.width;
  for (int64_t begin = 0; begin < count; begin += kBatch) {
    check();
    const int64_t n = std::min(kBatch, count - begin);
    // Engines do not write to their inputs.
    auto* input = const_cast<float*>(windows + begin * 3 * height * width);
    float* output = features + begin * patches() * dim();
    engine_->run(
        {{manifest_.image_encoder.input, {DType::kFloat32, {n, 3, height, width}, input}}},
        {{manifest_.image_encoder.output, {DType::kFloat32, {n, patches(), dim()}, output}}},
        nullptr);
  }
  check();
}

}  // namespace vocabseg
