// Preprocessing and mask pooling.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "kernels/mask_pooling/cpu.h"
#include "kernels/preprocessing/cpu.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

using Bytes = std::vector<uint8_t>;

TEST(Resize, SameSizeKeepsPixels) {
  ThreadPool pool(2);
  const Bytes image{0, 10, 255, 30, 40, 50, 60, 70, 80, 90, 100, 110};
  Bytes out(image.size());
  resize_bilinear_u8({image.data(), 2, 2, 6}, out.data(), 2, 2, pool);
  EXPECT_EQ(out, image);
  resize_bicubic_antialias_u8({image.data(), 2, 2, 6}, out.data(), 2, 2, pool);
  EXPECT_EQ(out, image);
}

TEST(Resize, HalvingAverages) {
  ThreadPool pool(1);
  const Bytes image{0, 0, 0, 100, 40, 2, 20, 0, 0, 40, 40, 2};
  Bytes out(3);
  resize_bilinear_u8({image.data(), 2, 2, 6}, out.data(), 1, 1, pool);
  EXPECT_EQ(out, (Bytes{40, 20, 1}));
}

TEST(Resize, ReadsAnyStride) {
  ThreadPool pool(1);
  const Bytes rgba{1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 10, 11, 12, 0};
  Bytes out(12);
  resize_bilinear_u8({rgba.data() + 8, 2, 2, -8, 4, 4}, out.data(), 2, 2, pool);
  EXPECT_EQ(out, (Bytes{7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6}));
  EXPECT_THROW(resize_bilinear_u8({rgba.data(), 2, 2, 8}, out.data(), 0, 2, pool), ShapeError);
  EXPECT_THROW(resize_bilinear_u8({rgba.data(), 2, 2, 8, 1, 1}, out.data(), 2, 2, pool),
               ShapeError);
}

TEST(Preprocess, NormalisesAndPads) {
  ThreadPool pool(2);
  const Bytes image{10, 20, 30, 20, 40, 60};
  WindowPlan plan = single_window(1, 2, 1, 1);
  plan.padded_h = 2, plan.padded_w = 4, plan.pad_left = 1;
  const float mean[3] = {0, 10, 20}, std[3] = {10, 10, 10};
  std::vector<float> windows(3 * 2 * 4, 7);
  preprocess({image.data(), 1, 2, 6}, plan, Resize::kBilinear, mean, std, windows.data(), pool);
  EXPECT_EQ(windows, (std::vector<float>{0, 1, 2, 0, 0, 0, 0, 0,  //
                                         0, 1, 3, 0, 0, 0, 0, 0,  //
                                         0, 1, 4, 0, 0, 0, 0, 0}));
  EXPECT_THROW(
      preprocess({image.data(), 2, 1, 3}, plan, Resize::kBilinear, mean, std, windows.data(), pool),
      ShapeError);
}

RleCounts run_lengths(const uint8_t* mask, int height, int width) {
  RleCounts counts{0};
  bool inside = false;
  for (int i = 0; i < height * width; ++i) {
    const bool value = mask[(i % height) * width + i / height] != 0;
    if (value != inside) counts.push_back(0);
    inside = value;
    ++counts.back();
  }
  return counts;
}

struct Weights {
  std::vector<float> weights;
  std::vector<int64_t> area;
};

template <class Push>
Weights push(int count, const AxisWeights& rows, const AxisWeights& cols, const Push& fill) {
  Weights result{std::vector<float>(int64_t{count} * rows.columns() * cols.columns()),
                 std::vector<int64_t>(count)};
  fill(result.weights.data(), result.area.data());
  return result;
}

TEST(MaskWeights, ByHand) {
  ThreadPool pool(1);
  const WindowPlan plan = single_window(1, 4, 1, 2);
  const AxisWeights rows = row_weights(plan), cols = col_weights(plan);
  const Bytes masks{1, 1, 0, 0, 0, 0, 0, 0};
  const Weights result = push(2, rows, cols, [&](float* weights, int64_t* area) {
    mask_weights(masks.data(), 2, rows, cols, weights, area, pool);
  });
  EXPECT_EQ(result.weights, (std::vector<float>{0.875, 0.125, 0, 0}));
  EXPECT_EQ(result.area, (std::vector<int64_t>{2, 0}));
  std::vector<float> pooled(2);
  const std::vector<float> features{8, 16};
  pool_features(result.weights.data(), 2, features.data(), 2, 1, pooled.data(), pool);
  EXPECT_EQ(pooled, (std::vector<float>{9, 0}));
}

TEST(MaskWeights, AllFormsAgree) {
  constexpr int kHeight = 37, kWidth = 41, kPixels = kHeight * kWidth, kMasks = 6;
  ThreadPool pool(3);
  WindowRule rule;
  rule.height = rule.width = 16, rule.stride_y = rule.stride_x = 8;
  rule.short_side = 30, rule.long_side = 100, rule.grid_h = rule.grid_w = 4;
  const WindowPlan plan = plan_windows(rule, kHeight, kWidth);
  const AxisWeights rows = row_weights(plan), cols = col_weights(plan);

  std::mt19937 generator(1);
  std::vector<int32_t> labels(kPixels);
  for (int i = 0; i < kPixels; ++i) {
    labels[i] = i && generator() % 4 ? labels[i - 1] : static_cast<int>(generator() % 7) - 1;
  }
  Bytes masks(kMasks * kPixels);
  std::vector<RleCounts> codes;
  for (int m = 0; m < kMasks; ++m) {
    for (int i = 0; i < kPixels; ++i) masks[m * kPixels + i] = labels[i] == m;
    codes.push_back(run_lengths(&masks[m * kPixels], kHeight, kWidth));
  }
  const Weights from_bool = push(kMasks, rows, cols, [&](float* weights, int64_t* area) {
    mask_weights(masks.data(), kMasks, rows, cols, weights, area, pool);
  });
  const Weights from_labels = push(kMasks, rows, cols, [&](float* weights, int64_t* area) {
    mask_weights(labels.data(), kMasks, rows, cols, weights, area, pool);
  });
  const Weights from_rle = push(kMasks, rows, cols, [&](float* weights, int64_t* area) {
    mask_weights(codes, rows, cols, weights, area, pool);
  });
  EXPECT_EQ(from_bool.area, from_labels.area);
  EXPECT_EQ(from_bool.area, from_rle.area);
  EXPECT_EQ(from_bool.weights, from_labels.weights);
  for (size_t i = 0; i < from_bool.weights.size(); ++i) {
    EXPECT_NEAR(from_bool.weights[i], from_rle.weights[i], 1e-7);
  }
}

TEST(MaskWeights, RefusesMasksThatDoNotFit) {
  ThreadPool pool(1);
  const WindowPlan plan = single_window(2, 2, 1, 1);
  const AxisWeights rows = row_weights(plan), cols = col_weights(plan);
  std::vector<float> weights(1);
  std::vector<int64_t> area(1);
  const std::vector<int32_t> labels{0, 1, 0, 0};
  EXPECT_THROW(mask_weights(labels.data(), 1, rows, cols, weights.data(), area.data(), pool),
               MaskError);
  const std::vector<RleCounts> codes{{3}};
  EXPECT_THROW(mask_weights(codes, rows, cols, weights.data(), area.data(), pool), MaskError);
}

}  // namespace
}  // namespace vocabseg::kernels
