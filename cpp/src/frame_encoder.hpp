// A frame's way to patch features: window plan, preprocessing, image engine.
#pragma once

#include <functional>
#include <memory>
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

class FrameEncoder {
 public:
  FrameEncoder(const Bundle& bundle, std::unique_ptr<Engine> engine);

  // Throws ImageError if the frame would need too many windows.
  FramePlan plan(int height, int width) const;

  // Features [windows, patches, dim] of a frame; valid until the next call. `check` is called
  // between the stages, and may throw.
  const float* encode(const kernels::ImageView& image, const FramePlan& plan,
                      kernels::ThreadPool& pool, StageClock& clock,
                      const std::function<void()>& check);

  // windows [count, 3, height, width] -> features [count, patches, dim].
  void run_engine(const float* windows, int64_t count, float* features,
                  const std::function<void()>& check);

  int dim() const { return manifest_.embed_dim; }
  int64_t patches() const { return int64_t{manifest_.grid_h} * manifest_.grid_w; }
  const Engine& engine() const { return *engine_; }

 private:
  Manifest manifest_;
  std::unique_ptr<Engine> engine_;
  std::vector<float> windows_, features_;  // reused from frame to frame
};

}  // namespace vocabseg
