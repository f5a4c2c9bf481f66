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

Output preprocessing(Bytes& input, kernels::ThreadPool& pool) {
  Output output;
  if (input.chance(128)) {
    const int height = static_cast<int>(input.length(40)),
              width = static_cast<int>(input.length(40));
    const int out_h = static_cast<int>(input.length(60)),
              out_w = static_cast<int>(input.length(60));
    const Image image(input, height, width);
    std::vector<uint8_t> out(int64_t{3} * out_h * out_w);
    const auto resize =
        input.one_of({kernels::resize_bilinear_u8, kernels::resize_bicubic_antialias_u8});
    resize(image.view, out.data(), out_h, out_w, pool);
    output.add(out);
    return output;
  }
  const kernels::WindowPlan windows = plan(input);
  const bool other = input.chance(8);
  const Image image(input, windows.source_h + (other ? 1 : 0), windows.source_w);
  const float mean[] = {0, 127, input.chance(4) ? INFINITY : 1};
  const float std[] = {1, 255, input.chance(4) ? 0.0f : 0.5f};
  kernels::check_plan(windows);
  std::vector<float> out(int64_t{3} * windows.windows() * windows.padded_h * windows.padded_w);
  kernels::preprocess(
      image.view, windows,
      input.one_of({kernels::Resize::kBilinear, kernels::Resize::kBicubicAntialias}), mean, std,
      out.data(), pool);
  output.add(out);
  return output;
}

}  // namespace vocabseg::fuzz
