#include "kernels/preprocessing/cpu.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "kernels/preprocessing/normalize.h"
#include "kernels/preprocessing/resizer.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

void check_normal(const float mean[3], const float std[3]) {
  for (int c = 0; c < 3; ++c) {
    if (std::isfinite(mean[c]) && std[c] > 0 && std::isfinite(std[c])) continue;
    throw ShapeError("mean must be finite and std positive, got " + std::to_string(mean[c]) +
                     " and " + std::to_string(std[c]));
  }
}

void check_source(const Frame& frame, const WindowPlan& plan) {
  if (frame.height == plan.source_h && frame.width == plan.source_w) return;
  throw ShapeError("got an image of " + std::to_string(frame.height) + " x " +
                   std::to_string(frame.width) + " for a plan of " + std::to_string(plan.source_h) +
                   " x " + std::to_string(plan.source_w) + ": plan each frame size");
}

// Writes rows of the resized frame to the windows that they belong to. Bit zero is 0 in all types.
class WindowWriter {
 public:
  WindowWriter(const WindowPlan& plan, FloatType type, void* windows)
      : plan_(plan),
        bytes_(size_of(type)),
        row_(bytes_ * plan.padded_w),
        windows_(static_cast<char*>(windows)) {}

  // Row y of channel c, [net_w] of the windows' type.
  void write(int y, int c, const char* row) const {
    for (size_t i = 0; i < plan_.ys.size(); ++i) {
      const int inside = y - plan_.ys[i];
      if (inside < 0 || inside >= plan_.window_h) continue;
      for (size_t j = 0; j < plan_.xs.size(); ++j) {
        char* window = windows_ + ((i * plan_.xs.size() + j) * 3 + c) * plan_.padded_h * row_;
        const int at = plan_.pad_top + inside;
        write_row(row + plan_.xs[j] * bytes_, window + at * row_);
        if (inside == 0) std::memset(window, 0, plan_.pad_top * row_);
        if (inside == plan_.window_h - 1) {
          std::memset(window + (at + 1) * row_, 0, (plan_.padded_h - at - 1) * row_);
        }
      }
    }
  }

 private:
  void write_row(const char* from, char* to) const {
    const int64_t left = plan_.pad_left * bytes_, inside = plan_.window_w * bytes_;
    std::memset(to, 0, left);
    std::memcpy(to + left, from, inside);
    std::memset(to + left + inside, 0, row_ - left - inside);
  }

  const WindowPlan& plan_;
  int64_t bytes_;  // of a value
  int64_t row_;    // bytes of a window's row
  char* windows_;
};

void run(const Frame& frame, const WindowPlan& plan, Resize resize, const float mean[3],
         const float std[3], FloatType type, void* windows, ThreadPool& pool) {
  check_plan(plan);
  check_source(frame, plan);
  check_normal(mean, std);
  const auto make = resize == Resize::kBilinear ? bilinear_resizer : bicubic_resizer;
  const std::unique_ptr<Resizer> resizer = make(frame, plan.net_h, plan.net_w);
  const bool bgr = frame.image.order == ChannelOrder::kBgr;
  const WindowWriter writer(plan, type, windows);
  pool.parallel_for(plan.net_h, [&](int64_t begin, int64_t end) {
    std::vector<float> normal(resizer->pitch()), rounded(resizer->pitch());
    const auto sink = [&](int y, const uint8_t* row) {
      for (int c = 0; c < 3; ++c, row += resizer->pitch()) {
        const int channel = bgr ? 2 - c : c;
        normalize_row(row, plan.net_w, mean[channel], std[channel], normal.data());
        const float* values = normal.data();
        if (type != FloatType::kFloat32) {
          from_float32(values, plan.net_w, type, rounded.data());
          values = rounded.data();
        }
        writer.write(y, channel, reinterpret_cast<const char*>(values));
      }
    };
    resizer->run(static_cast<int>(begin), static_cast<int>(end), sink);
  });
}

}  // namespace

void preprocess(const ImageView& image, const WindowPlan& plan, Resize resize, const float mean[3],
                const float std[3], FloatType type, void* windows, ThreadPool& pool) {
  run(Frame(image), plan, resize, mean, std, type, windows, pool);
}

void preprocess(const Nv12View& image, const WindowPlan& plan, Resize resize, const float mean[3],
                const float std[3], FloatType type, void* windows, ThreadPool& pool) {
  run(Frame(image), plan, resize, mean, std, type, windows, pool);
}

}  // namespace vocabseg::kernels
