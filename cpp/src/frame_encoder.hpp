// A frame's way to patch features: window plan, preprocessing, image engine.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/common/axis_weights.h"
#include "kernels/common/image_view.h"
#include "kernels/common/thread_pool.h"
#include "kernels/common/window_plan.h"
#include "stage_clock.hpp"
#include "vocabseg/bundle.hpp"
#include "vocabseg/engine.hpp"

namespace vocabseg {

// The plan of one frame size, and the weights between its patches and the frame's pixels.
struct FramePlan {
  kernels::WindowPlan windows;
  kernels::AxisWeights rows, cols;
};

// Throws ImageError if the frame would need too many windows.
FramePlan plan_frame(const Manifest& manifest, int height, int width);

// Some windows of a frame behind the image network.
struct WindowBatch {
  int64_t first = 0, count = 0;    // of the frame's windows
  const float* windows = nullptr;  // [count, 3, height, width], normalised
  float* features = nullptr;       // [count, patches, dim], which a step may replace
  TensorMap extra;                 // the network's other outputs
};

// Is called with every batch; may throw.
using BatchStep = std::function<void(const WindowBatch&)>;

class FrameEncoder {
 public:
  FrameEncoder(const Bundle& bundle, std::unique_ptr<Engine> engine);

  // As plan_frame.
  FramePlan plan(int height, int width) const { return plan_frame(manifest_, height, width); }

  // Features [windows, patches, dim] of a frame; valid until the next call. Ends the stages
  // "preprocess" and "encode" of the clock; `step` ends its own.
  const float* encode(const kernels::ImageView& image, const FramePlan& plan,
                      kernels::ThreadPool& pool, StageClock& clock, const BatchStep& step);

  // windows [count, 3, height, width] -> features [count, patches, dim]; then `step`.
  void run_engine(const float* windows, int64_t count, float* features, const BatchStep& step);

  int dim() const { return manifest_.embed_dim; }
  int64_t patches() const { return int64_t{manifest_.grid_h} * manifest_.grid_w; }
  Engine& engine() const { return *engine_; }

 private:
  TensorMap extra_outputs(int64_t count);

  Manifest manifest_;
  std::unique_ptr<Engine> engine_;
  std::vector<float> windows_, features_;  // reused from frame to frame
  std::map<std::string, std::vector<float>> extra_;
};

}  // namespace vocabseg
