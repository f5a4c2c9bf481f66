#include "kernels/common/window_plan.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr int64_t kMaxWindows = 1024;
constexpr double kMaxNetLength = 1 << 24;

struct Axis {
  int net = 0, window = 0, pad = 0;
  std::vector<int> starts;
};

void check_rule(const WindowRule& rule) {
  const bool slide = rule.mode == WindowMode::kSlide;
  if (rule.height < 1 || rule.width < 1 || rule.grid_h < 1 || rule.grid_w < 1) {
    throw ShapeError("a window rule needs a window and a grid of at least 1 x 1");
  }
  if (slide &&
      (rule.stride_y < 1 || rule.stride_x < 1 || rule.short_side < 1 || rule.long_side < 1)) {
    throw ShapeError("sliding windows need a stride, a short side and a long side of at least 1");
  }
}

int64_t count_windows(int length, int crop, int stride) {
  return (std::max<int64_t>(int64_t{length} - crop, 0) + stride - 1) / stride + 1;
}

int scaled_length(int source, double scale) {
  return std::max(1, static_cast<int>(std::min(source * scale + 0.5, kMaxNetLength)));
}

Axis plan_axis(int net, int crop, int stride) {
  Axis axis;
  axis.net = net;
  axis.window = std::min(crop, net);
  axis.pad = (crop - axis.window) / 2;
  axis.starts = window_starts(net, crop, stride);
  return axis;
}

void check_axis(int source, int net, int window, int padded, int pad,
                const std::vector<int>& starts, int grid) {
  const bool positive = source > 0 && net > 0 && window > 0 && grid > 0 && !starts.empty();
  const bool padding = pad >= 0 && int64_t{pad} + window <= padded;
  bool covered = positive && padding && starts.front() == 0 && starts.back() + window == net;
  for (size_t i = 1; covered && i < starts.size(); ++i) {
    covered = starts[i] > starts[i - 1] && starts[i] <= starts[i - 1] + window;
  }
  if (!covered) {
    throw ShapeError(
        "the windows of a plan must lie inside the resized frame, rise, and cover it; got "
        "length " +
        std::to_string(net) + ", window " + std::to_string(window) + ", padded " +
        std::to_string(padded) + ", " + std::to_string(starts.size()) +
        " windows: make the plan with plan_windows");
  }
}

}  // namespace

std::vector<int> window_starts(int length, int crop, int stride) {
  std::vector<int> starts;
  const int64_t count = count_windows(length, crop, stride);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t end = std::min<int64_t>(i * stride + crop, length);
    starts.push_back(static_cast<int>(std::max<int64_t>(end - crop, 0)));
  }
  return starts;
}

WindowPlan plan_windows(const WindowRule& rule, int source_h, int source_w) {
  check_rule(rule);
  if (source_h < 1 || source_w < 1) {
    throw ShapeError("got a frame of " + std::to_string(source_h) + " x " +
                     std::to_string(source_w) + "; expected at least 1 x 1");
  }
  const bool slide = rule.mode == WindowMode::kSlide;
  const double scale =
      slide ? std::min(static_cast<double>(rule.long_side) / std::max(source_h, source_w),
                       static_cast<double>(rule.short_side) / std::min(source_h, source_w))
            : std::max(static_cast<double>(rule.height) / source_h,
                       static_cast<double>(rule.width) / source_w);
  const int net_h = scaled_length(source_h, scale), net_w = scaled_length(source_w, scale);
  const int stride_y = slide ? rule.stride_y : rule.height;
  const int stride_x = slide ? rule.stride_x : rule.width;

  const int64_t windows =
      count_windows(net_h, rule.height, stride_y) * count_windows(net_w, rule.width, stride_x);
  if (windows > kMaxWindows) {
    throw ShapeError("a frame of " + std::to_string(source_h) + " x " + std::to_string(source_w) +
                     " needs " + std::to_string(windows) + " windows, at most " +
                     std::to_string(kMaxWindows) +
                     " are allowed: cut the frame, or export with a larger window or stride");
  }
  Axis y = plan_axis(net_h, rule.height, stride_y), x = plan_axis(net_w, rule.width, stride_x);

  WindowPlan plan;
  plan.source_h = source_h, plan.source_w = source_w;
  plan.net_h = y.net, plan.net_w = x.net;
  plan.window_h = y.window, plan.window_w = x.window;
  plan.padded_h = rule.height, plan.padded_w = rule.width;
  plan.pad_top = y.pad, plan.pad_left = x.pad;
  plan.ys = std::move(y.starts), plan.xs = std::move(x.starts);
  plan.grid_h = rule.grid_h, plan.grid_w = rule.grid_w;
  return plan;
}

WindowPlan single_window(int height, int width, int grid_h, int grid_w) {
  WindowPlan plan;
  plan.source_h = plan.net_h = plan.window_h = plan.padded_h = height;
  plan.source_w = plan.net_w = plan.window_w = plan.padded_w = width;
  plan.ys = plan.xs = {0};
  plan.grid_h = grid_h, plan.grid_w = grid_w;
  check_plan(plan);
  return plan;
}

void check_plan(const WindowPlan& plan) {
  check_axis(plan.source_h, plan.net_h, plan.window_h, plan.padded_h, plan.pad_top, plan.ys,
             plan.grid_h);
  check_axis(plan.source_w, plan.net_w, plan.window_w, plan.padded_w, plan.pad_left, plan.xs,
             plan.grid_w);
}

}  // namespace vocabseg::kernels
