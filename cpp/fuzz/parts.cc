#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "targets.hpp"

namespace vocabseg::fuzz {

using kernels::FloatType;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

kernels::WindowPlan plan(Bytes& input) {
  const auto length = [&](int64_t high) { return static_cast<int>(input.length(high)); };
  kernels::WindowPlan plan;
  if (input.chance(128)) {
    plan = kernels::single_window(length(70), length(70), length(6), length(6));
  } else {
    kernels::WindowRule rule;
    rule.mode = input.one_of({kernels::WindowMode::kSlide, kernels::WindowMode::kWhole});
    rule.height = length(32), rule.width = length(32);
    rule.stride_y = length(32), rule.stride_x = length(32);
    rule.short_side = length(48), rule.long_side = length(64);
    rule.grid_h = length(4), rule.grid_w = length(4);
    const int height = length(64);
    plan = kernels::plan_windows(rule, height, length(64));
  }
  if (input.chance(16)) {
    int* const fields[] = {&plan.source_h, &plan.net_h,  &plan.window_w, &plan.padded_h,
                           &plan.pad_left, &plan.grid_w, &plan.ys[0],    &plan.xs[0]};
    *fields[input.integer(0, 7)] = static_cast<int>(input.integer(-3, 70));
  }
  return plan;
}

Weights weights(Bytes& input) {
  const kernels::WindowPlan windows = plan(input);
  const auto interpolation =
      input.one_of({kernels::Interpolation::kBilinear, kernels::Interpolation::kAlignCorners,
                    kernels::Interpolation::kNearest});
  const int height = input.chance(64) ? static_cast<int>(input.integer(0, 90)) : 0;
  const int width = input.chance(64) ? static_cast<int>(input.integer(0, 90)) : 0;
  return {kernels::row_weights(windows, height, interpolation),
          kernels::col_weights(windows, width, interpolation)};
}

Decoding::Decoding(Bytes& input) : queries(static_cast<int>(input.length(20))) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const bool good = input.chance(224);
  options.classes = good ? static_cast<int>(input.integer(1, 12))
                         : input.one_of({0, -1, 255, 256, 300, 65536, 70000});
  query_to_class = good || options.classes < 1
                       ? input.integers(queries, 0, std::max(options.classes, 1) - 1)
                       : input.integers(queries, -1, options.classes);
  enabled = input.bytes(std::max(options.classes, 0), 1);
  options.query_to_class = query_to_class.data();
  if (input.chance(64)) options.class_enabled = enabled.data();
  options.logit_scale = input.chance(8) ? input.one_of({0.0f, -1.0f, kNan, 1e38f})
                                        : input.one_of({1.0f, 40.0f, 100.0f, 1e-6f});
  options.threshold =
      input.chance(8) ? input.one_of({-0.5f, 2.0f, kNan}) : input.one_of({0.0f, 0.3f, 1.0f});
  options.unlabeled = input.chance(8) ? input.one_of({-1, 256, 65536}) : input.one_of({255, 0});
}

FloatType float_type(Bytes& input) {
  return input.one_of({FloatType::kFloat32, FloatType::kFloat16, FloatType::kBFloat16});
}

FloatArray::FloatArray(Bytes& input, FloatType type, int64_t n) {
  if (type == FloatType::kFloat32) {
    single = input.floats(n);
  } else if (input.chance(64)) {  // any bits
    for (const int32_t bits : input.integers(n, 0, 65535))
      half.push_back(static_cast<uint16_t>(bits));
    half.shrink_to_fit();
  } else {
    const std::vector<float> values = input.floats(n);
    half.resize(values.size());
    kernels::from_float32(values.data(), static_cast<int64_t>(values.size()), type, half.data());
  }
}

// Pixels in memory of their own, to the byte; rows and pixels may run backwards.
Image::Image(Bytes& input, int height, int width) {
  view.height = height, view.width = width;
  view.order = input.one_of({kernels::ChannelOrder::kRgb, kernels::ChannelOrder::kBgr});
  view.channels = input.chance(8) ? 1 : input.one_of({3, 4});
  const int64_t pixel = view.channels, row = width * pixel + input.integer(0, 5);
  const int64_t used = height < 1 || width < 1 ? 0 : (height - 1) * row + width * pixel;
  pixels = input.bytes(used);
  const bool upside_down = input.chance(48), mirrored = input.chance(48);
  view.row_stride = upside_down ? -row : row;
  view.pixel_stride = mirrored ? -pixel : pixel;
  const int64_t first =
      used == 0 ? 0 : (upside_down ? (height - 1) * row : 0) + (mirrored ? (width - 1) * pixel : 0);
  view.pixels = pixels.data() + first;
}

}  // namespace vocabseg::fuzz
