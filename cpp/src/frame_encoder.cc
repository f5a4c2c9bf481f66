#include "frame_encoder.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <utility>

#include "engine_batches.hpp"
#include "kernels/preprocessing/cpu.h"
#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

constexpr int kMaxWindows = 512;
// Bounds for the memory of a run of the engine: windows, and bytes of its extra outputs.
constexpr int64_t kBatch = 64, kExtraBytes = 64 << 20;

int64_t values_of(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// Windows of a run, where the engine takes as many as one likes if it says nothing.
int64_t most_windows(const EncoderSpec& encoder, const Engine& engine) {
  int64_t bytes = 1;
  for (const auto& [name, shape] : encoder.extra_outputs) bytes += 4 * values_of(shape);
  const int64_t largest = engine.traits().largest_batch;
  return std::clamp<int64_t>(kExtraBytes / bytes, 1, largest > 0 ? largest : kBatch);
}

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

FramePlan plan_frame(const Manifest& manifest, int height, int width) {
  FramePlan plan;
  plan.windows = plan_windows(manifest, height, width);
  plan.rows = kernels::row_weights(plan.windows);
  plan.cols = kernels::col_weights(plan.windows);
  return plan;
}

FrameEncoder::FrameEncoder(const Bundle& bundle, std::unique_ptr<Engine> engine)
    : manifest_(bundle.manifest()), engine_(std::move(engine)) {}

const float* FrameEncoder::encode(const kernels::ImageView& image, const FramePlan& plan,
                                  kernels::ThreadPool& pool, StageClock& clock,
                                  const BatchStep& step) {
  const auto count = static_cast<size_t>(plan.windows.windows());
  const auto pixels = static_cast<size_t>(plan.windows.padded_h) * plan.windows.padded_w;
  windows_.resize(count * 3 * pixels);
  features_.resize(count * static_cast<size_t>(patches() * dim()));
  kernels::preprocess(image, plan.windows, resize_filter(manifest_), manifest_.mean.data(),
                      manifest_.std.data(), kernels::FloatType::kFloat32, windows_.data(), pool);
  clock.stop("preprocess");
  run_engine(windows_.data(), static_cast<int64_t>(count), features_.data(),
             [&](const WindowBatch& batch) {
               clock.stop("encode");
               step(batch);
             });
  return features_.data();
}

void FrameEncoder::run_engine(const float* windows, int64_t count, float* features,
                              const BatchStep& step) {
  const int64_t height = manifest_.window.height, width = manifest_.window.width;
  const EncoderSpec& encoder = manifest_.image_encoder;
  const int64_t most = most_windows(encoder, *engine_);
  in_batches(*engine_, count, most, [&](int64_t first, int64_t n) {
    WindowBatch batch{first, n, windows + first * 3 * height * width,
                      features + first * patches() * dim(), extra_outputs(n)};
    TensorMap outputs = batch.extra;
    outputs[encoder.output] = {DType::kFloat32, {n, patches(), dim()}, batch.features};
    // Engines do not write to their inputs.
    auto* input = const_cast<float*>(batch.windows);
    engine_->run({{encoder.input, {DType::kFloat32, {n, 3, height, width}, input}}}, outputs,
                 nullptr);
    step(batch);
  });
}

TensorMap FrameEncoder::extra_outputs(int64_t count) {
  TensorMap views;
  for (const auto& [name, shape] : manifest_.image_encoder.extra_outputs) {
    std::vector<float>& buffer = extra_[name];
    buffer.resize(static_cast<size_t>(count * values_of(shape)));
    std::vector<int64_t> of_batch = {count};
    of_batch.insert(of_batch.end(), shape.begin(), shape.end());
    views[name] = {DType::kFloat32, of_batch, buffer.data()};
  }
  return views;
}

}  // namespace vocabseg
