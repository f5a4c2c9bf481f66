#include <cmath>

#include "kernels/pamr/cpu.h"
#include "kernels/preprocessing/cpu.h"
#include "targets.hpp"

namespace vocabseg::fuzz {

Output pamr(Bytes& input, kernels::ThreadPool& pool) {
  const int height = static_cast<int>(input.length(24)), width = static_cast<int>(input.length(40));
  std::vector<int> dilations;
  for (int64_t n = input.integer(1, 3); n > 0; --n) {
    dilations.push_back(input.chance(8) ? input.one_of({0, -1, 5000, INT32_MAX})
                                        : static_cast<int>(input.length(24)));
  }
  if (input.chance(4)) dilations.clear();
  const int64_t count = input.length(10);
  const int steps = input.chance(4) ? -1 : static_cast<int>(input.integer(0, 6));
  std::vector<float> maps = input.floats(count * height * width);
  if (input.chance(128)) {
    const Image image(input, height, width);
    kernels::Pamr(image.view, dilations, pool).refine(maps.data(), count, steps);
  } else {
    const std::vector<float> planes = input.floats(int64_t{3} * height * width);
    kernels::Pamr(planes.data(), height, width, dilations, pool).refine(maps.data(), count, steps);
  }
  Output output;
  output.add(maps);
  return output;
}

namespace {

// An NV12 frame in memory of its own, to the byte; rows may run backwards.
struct Nv12 {
  Nv12(Bytes& input, int height, int width) {
    view.height = height, view.width = width;
    view.luma = plane(input, luma, height, width, view.luma_stride);
    view.chroma = plane(input, chroma, height / 2, width, view.chroma_stride);
  }
  Nv12(const Nv12&) = delete;
  Nv12& operator=(const Nv12&) = delete;

  static const uint8_t* plane(Bytes& input, std::vector<uint8_t>& pixels, int rows, int width,
                              int64_t& stride) {
    const int64_t pitch = width + input.integer(0, 5);
    pixels = input.bytes(rows < 1 ? 0 : (rows - 1) * pitch + width);
    const bool upside_down = rows > 0 && input.chance(48);
    stride = upside_down ? -pitch : pitch;
    return pixels.data() + (upside_down ? (rows - 1) * pitch : 0);
  }

  std::vector<uint8_t> luma, chroma;
  kernels::Nv12View view;
};

}  // namespace

Output preprocessing(Bytes& input, kernels::ThreadPool& pool) {
  kernels::WindowPlan windows = plan(input);
  const bool nv12 = input.chance(96);
  if (nv12 && input.chance(240)) {  // only even sides
    windows.source_h = (windows.source_h + 1) / 2 * 2;
    windows.source_w = (windows.source_w + 1) / 2 * 2;
  }
  kernels::check_plan(windows);
  const int height = windows.source_h + (input.chance(4) ? 2 : 0), width = windows.source_w;
  const float mean[] = {0, 127, input.chance(4) ? INFINITY : 1};
  const float std[] = {1, 255, input.chance(4) ? 0.0f : 0.5f};
  const kernels::FloatType type = float_type(input);
  const auto resize =
      input.one_of({kernels::Resize::kBilinear, kernels::Resize::kBicubicAntialias});
  std::vector<uint8_t> out(int64_t{3} * windows.windows() * windows.padded_h * windows.padded_w *
                           kernels::size_of(type));
  if (nv12) {
    const Nv12 frame(input, height, width);
    kernels::preprocess(frame.view, windows, resize, mean, std, type, out.data(), pool);
  } else {
    const Image image(input, height, width);
    kernels::preprocess(image.view, windows, resize, mean, std, type, out.data(), pool);
  }
  Output output;
  output.add(out);
  return output;
}

}  // namespace vocabseg::fuzz
