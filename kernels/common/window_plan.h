// Where the windows of a frame lie: the one owner of the window geometry.
#pragma once

#include <vector>

namespace vocabseg::kernels {

enum class WindowMode {
  kSlide,  // resize to `short_side` (long side at most `long_side`), square or other crops with a
           // stride
  kWhole,  // resize so that the frame just covers one window; what sticks out gets further windows
};

// The geometry that a bundle prescribes. Lengths are in pixels, grids in patches.
struct WindowRule {
  WindowMode mode = WindowMode::kSlide;
  int height = 0, width = 0;          // the engine's window
  int stride_y = 0, stride_x = 0;     // slide only
  int short_side = 0, long_side = 0;  // slide only
  int grid_h = 0, grid_w = 0;         // patches of one window
};

// The same for one frame. Frame (source) -> resized frame (net) -> windows of it, all of one size
// -> zero-padded to the engine's size -> patch grid. Windows are ordered row-major, ys outer.
struct WindowPlan {
  int source_h = 0, source_w = 0;
  int net_h = 0, net_w = 0;
  int window_h = 0, window_w = 0;
  int padded_h = 0, padded_w = 0;
  int pad_top = 0, pad_left = 0;
  std::vector<int> ys, xs;  // first row and column of the windows, in the resized frame
  int grid_h = 0, grid_w = 0;

  int windows() const { return static_cast<int>(ys.size() * xs.size()); }
  int patches() const { return grid_h * grid_w; }
};

// Starts of the windows of length `crop` along an axis: every `stride`, the last one shifted back
// inside.
std::vector<int> window_starts(int length, int crop, int stride);

// The plan of a frame of source_h x source_w pixels. Throws ShapeError if the rule is not complete
// or the frame is so elongated that it would need more than 1024 windows.
WindowPlan plan_windows(const WindowRule& rule, int source_h, int source_w);

// One window that is the frame itself, unresized: a patch grid stretched over an image.
WindowPlan single_window(int height, int width, int grid_h, int grid_w);

// Throws ShapeError unless every length is positive and the windows lie inside the resized frame
// and cover it.
void check_plan(const WindowPlan& plan);

}  // namespace vocabseg::kernels
