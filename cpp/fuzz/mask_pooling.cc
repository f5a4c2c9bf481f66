#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/mask_pooling/classification.h"
#include "kernels/mask_pooling/cpu.h"
#include "kernels/mask_pooling/rle.h"
#include "targets.hpp"

namespace vocabseg::fuzz {
namespace {

using Runs = std::vector<uint32_t>;

// Runs that cover `pixels`, or seldom do not.
Runs runs(Bytes& input, int64_t pixels) {
  Runs counts;
  for (int64_t left = pixels; left > 0;) {
    const int64_t run = std::min(left, input.chance(32) ? 0 : input.integer(0, left));
    counts.push_back(static_cast<uint32_t>(counts.size() < 40 ? run : left));
    left -= counts.back();
  }
  if (input.chance(8)) counts.push_back(static_cast<uint32_t>(input.integer(0, UINT32_MAX)));
  if (input.chance(4) && !counts.empty()) counts.pop_back();
  counts.shrink_to_fit();
  return counts;
}

// Weights of pixels: from 0 on, or now and then whatever.
std::vector<float> pixel_weights(Bytes& input, int64_t n) {
  std::vector<float> values = input.floats(n);
  if (input.chance(240)) {
    for (float& value : values) value = std::isfinite(value) ? std::abs(value) : 0;
  }
  return values;
}

// Masks and the arrays that they point to.
struct AnyMasks {
  AnyMasks(Bytes& input, const Weights& axes) {
    const int64_t count = input.length(5), pixels = axes.pixels();
    switch (input.integer(0, 4)) {
      case 0:
        bytes = input.bytes(count * pixels, 1);
        masks = kernels::ByteMasks{bytes.data(), count};
        return;
      case 1:
        bytes = input.bytes(count * axes.rows.rows * ((axes.cols.rows + 7) / 8));
        masks = kernels::BitMasks{bytes.data(), count};
        return;
      case 2:
        labels = input.integers(pixels, -1, count - (input.chance(8) ? 0 : 1));
        masks = kernels::LabelMap{labels.data(), count};
        return;
      case 3:
        for (int64_t m = 0; m < count; ++m) counts.push_back(runs(input, pixels));
        masks = std::vector<kernels::RunLengths>();
        for (const Runs& each : counts) {
          std::get<std::vector<kernels::RunLengths>>(masks).push_back(
              {each.data(), static_cast<int64_t>(each.size())});
        }
        return;
      default:
        soft = pixel_weights(input, count * pixels);
        masks = kernels::SoftMasks{soft.data(), count};
    }
  }
  AnyMasks(const AnyMasks&) = delete;
  AnyMasks& operator=(const AnyMasks&) = delete;

  std::vector<uint8_t> bytes;
  std::vector<int32_t> labels;
  std::vector<Runs> counts;
  std::vector<float> soft;
  kernels::Masks masks;
};

void expect_areas(const std::vector<int64_t>& area, int64_t pixels) {
  for (const int64_t each : area) {
    expect(each >= 0 && each <= pixels, "an area is larger than the image");
  }
}

}  // namespace

Output mask_pooling(Bytes& input, kernels::ThreadPool& pool) {
  const Weights axes = weights(input);
  const AnyMasks any(input, axes);
  const int64_t count = kernels::count(any.masks), pixels = axes.pixels();
  const bool soft = std::holds_alternative<kernels::SoftMasks>(any.masks);
  const bool weighted = !soft && input.chance(64), own = input.chance(128);
  const std::vector<float> factors =
      pixel_weights(input, weighted ? pixels * (own ? count : 1) : 0);
  const kernels::PixelWeights pixel{weighted ? factors.data() : nullptr, own};
  std::vector<int64_t> area(count);
  Output output;
  if (input.chance(96)) {
    const bool bad = input.chance(8);
    const int64_t begin = bad ? input.integer(-1, count + 1) : input.integer(0, count);
    const int64_t n = bad ? input.integer(-1, count) : count - begin;
    std::vector<float> pushed(std::max<int64_t>(n, 0) * axes.patches());
    area.resize(std::max<int64_t>(n, 0));
    kernels::mask_weights(any.masks, pixel, begin, n, axes.rows, axes.cols, pushed.data(),
                          area.data(), pool);
    output.add(pushed);
  } else {
    const kernels::FloatType type = float_type(input);
    const int64_t d = input.length(40);
    const FloatArray features(input, type, axes.patches() * d);
    std::vector<float> pooled(count * d);
    kernels::mask_pool({features.data(), type, d}, any.masks, pixel, axes.rows, axes.cols,
                       pooled.data(), area.data(), pool);
    output.add(pooled);
  }
  expect_areas(area, pixels);
  output.add(area);
  return output;
}

Output mask_classification(Bytes& input, kernels::ThreadPool& pool) {
  const Decoding decoding(input);
  const int64_t count = input.length(20), d = input.length(40);
  const std::vector<float> pooled = input.floats(count * d),
                           text = input.floats(decoding.queries * d);
  std::vector<int64_t> area(count);
  for (int64_t& each : area) each = input.integer(0, 3);
  std::vector<uint16_t> labels(count);
  std::vector<float> scores(count);
  kernels::classify_regions(pooled.data(), area.data(), count, d, text.data(), decoding.queries,
                            input.chance(128), decoding.options, labels.data(), scores.data(),
                            pool);
  expect_labels(labels, decoding.options);
  Output output;
  output.add(labels);
  output.add(scores);
  return output;
}

Output run_lengths(Bytes& input, kernels::ThreadPool&) {
  std::string text;
  const bool any = input.chance(32);
  for (int64_t n = input.length(40); n > 0; --n) {
    text += static_cast<char>(any ? input.integer(0, 255)
                                  : input.integer('0', input.one_of({'?', '?', '?', 'O', 'o'})));
  }
  Output output;
  output.add(kernels::decompress(text));
  return output;
}

}  // namespace vocabseg::fuzz
