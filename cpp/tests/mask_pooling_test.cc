// Mask pooling on every instruction set that this machine has.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "kernels/common/targets.h"
#include "kernels/mask_pooling/classification.h"
#include "kernels/mask_pooling/cpu.h"
#include "kernels/mask_pooling/rle.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

using Bytes = std::vector<uint8_t>;

class MaskWeights : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_target(GetParam()); }
  void TearDown() override { force_target(""); }
};
INSTANTIATE_TEST_SUITE_P(Targets, MaskWeights, testing::ValuesIn(supported_targets()));

std::vector<uint32_t> run_lengths(const uint8_t* mask, int height, int width) {
  std::vector<uint32_t> counts{0};
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

Weights push(const Masks& masks, const AxisWeights& rows, const AxisWeights& cols, ThreadPool& pool,
             const PixelWeights& pixel_weights = {}) {
  const int64_t n = count(masks);
  Weights result{std::vector<float>(n * rows.columns() * cols.columns()), std::vector<int64_t>(n)};
  mask_weights(masks, pixel_weights, 0, n, rows, cols, result.weights.data(), result.area.data(),
               pool);
  return result;
}

TEST_P(MaskWeights, ByHand) {
  ThreadPool pool(1);
  const WindowPlan plan = single_window(1, 4, 1, 2);
  const AxisWeights rows = row_weights(plan), cols = col_weights(plan);
  const Bytes masks{1, 1, 0, 0, 0, 0, 0, 0};
  const Weights result = push(ByteMasks{masks.data(), 2}, rows, cols, pool);
  EXPECT_EQ(result.weights, (std::vector<float>{0.875, 0.125, 0, 0}));
  EXPECT_EQ(result.area, (std::vector<int64_t>{2, 0}));
  std::vector<float> pooled(2);
  const std::vector<float> features{8, 16};
  pool_features(result.weights.data(), 2, features.data(), 2, 1, pooled.data(), pool);
  EXPECT_EQ(pooled, (std::vector<float>{9, 0}));
}

TEST_P(MaskWeights, AllFormsAgree) {
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
  std::vector<std::vector<uint32_t>> codes;
  for (int m = 0; m < kMasks; ++m) {
    for (int i = 0; i < kPixels; ++i) masks[m * kPixels + i] = labels[i] == m;
    codes.push_back(run_lengths(&masks[m * kPixels], kHeight, kWidth));
  }
  std::vector<RunLengths> runs;
  for (const auto& code : codes) runs.push_back({code.data(), static_cast<int64_t>(code.size())});
  const Weights from_bool = push(ByteMasks{masks.data(), kMasks}, rows, cols, pool);
  const Weights from_labels = push(LabelMap{labels.data(), kMasks}, rows, cols, pool);
  const Weights from_rle = push(runs, rows, cols, pool);
  EXPECT_EQ(from_bool.area, from_labels.area);
  EXPECT_EQ(from_bool.area, from_rle.area);
  EXPECT_EQ(from_bool.weights, from_labels.weights);
  for (size_t i = 0; i < from_bool.weights.size(); ++i) {
    EXPECT_NEAR(from_bool.weights[i], from_rle.weights[i], 1e-7);
  }
}

TEST_P(MaskWeights, RefusesMasksThatDoNotFit) {
  ThreadPool pool(1);
  const WindowPlan plan = single_window(2, 2, 1, 1);
  const AxisWeights rows = row_weights(plan), cols = col_weights(plan);
  const std::vector<int32_t> labels{0, 1, 0, 0};
  EXPECT_THROW(push(LabelMap{labels.data(), 1}, rows, cols, pool), MaskError);
  const std::vector<uint32_t> code{3};
  EXPECT_THROW(push(std::vector<RunLengths>{{code.data(), 1}}, rows, cols, pool), MaskError);
  const std::vector<float> soft{1, 0, -1, 0};
  EXPECT_THROW(push(SoftMasks{soft.data(), 1}, rows, cols, pool), MaskError);
}

// By the definition, pixel by pixel.
std::vector<float> expected_weights(const Bytes& mask, const std::vector<float>& pixel_weights,
                                    const AxisWeights& rows, const AxisWeights& cols) {
  std::vector<double> sums(int64_t{rows.grid} * cols.grid);
  double total = 0;
  for (int y = 0; y < rows.rows; ++y) {
    for (int x = 0; x < cols.rows; ++x) {
      const int64_t pixel = int64_t{y} * cols.rows + x;
      const double weight = mask[pixel] ? pixel_weights[pixel] : 0;
      total += weight;
      for (int k = rows.offset[y]; k < rows.offset[y + 1]; ++k) {
        for (int l = cols.offset[x]; l < cols.offset[x + 1]; ++l) {
          sums[int64_t{rows.index[k]} * cols.grid + cols.index[l]] +=
              weight * rows.weight[k] * cols.weight[l];
        }
      }
    }
  }
  std::vector<float> weights;
  for (double sum : sums) weights.push_back(static_cast<float>(total > 0 ? sum / total : 0));
  return weights;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-6) << i;
}

// Arrays are of the exact size, so that AddressSanitizer sees a read beyond them.
TEST_P(MaskWeights, OddSizes) {
  ThreadPool pool(1);
  std::mt19937 generator(3);
  for (int width : {1, 7, 8, 31, 32, 33, 63, 65, 130}) {
    for (int height : {1, 5, 47}) {
      const WindowPlan plan = single_window(height, width, 2, 3);
      const AxisWeights rows = row_weights(plan), cols = col_weights(plan);
      const int64_t pixels = int64_t{height} * width, stride = (width + 7) / 8;
      Bytes mask(pixels), bits(height * stride);
      std::vector<float> ones(pixels, 1), random(pixels), soft(pixels);
      std::vector<int32_t> labels(pixels);
      for (int64_t i = 0; i < pixels; ++i) {
        mask[i] = generator() % 3 ? 0 : static_cast<uint8_t>(generator() | 1);
        random[i] = static_cast<float>(generator() % 1000) / 1000;
        soft[i] = mask[i] ? random[i] : 0;
        labels[i] = mask[i] ? 0 : -1;
        if (mask[i]) bits[i / width * stride + i % width / 8] |= 128 >> (i % width % 8);
      }
      const auto code = run_lengths(mask.data(), height, width);
      const std::vector<RunLengths> runs{{code.data(), static_cast<int64_t>(code.size())}};
      const Masks forms[] = {ByteMasks{mask.data(), 1}, BitMasks{bits.data(), 1},
                             LabelMap{labels.data(), 1}, runs};
      const auto plain = expected_weights(mask, ones, rows, cols);
      const auto weighted = expected_weights(mask, random, rows, cols);
      for (const Masks& form : forms) {
        expect_near(push(form, rows, cols, pool).weights, plain);
        expect_near(push(form, rows, cols, pool, {random.data(), false}).weights, weighted);
      }
      expect_near(push(SoftMasks{soft.data(), 1}, rows, cols, pool).weights, weighted);
    }
  }
}

TEST_P(MaskWeights, PooledRowsOfAnyWidth) {
  ThreadPool pool(2);
  constexpr int64_t kMasks = 9, kCells = 70;
  std::mt19937 generator(5);
  const auto draw = [&] { return static_cast<float>(generator() % 2001) / 1000 - 1; };
  for (int64_t d : {1, 3, 15, 16, 17, 127, 128, 300}) {
    std::vector<float> weights(kMasks * kCells), features(kCells * d), pooled(kMasks * d);
    for (float& value : features) value = draw();
    for (int64_t i = 0; i < kMasks * kCells; ++i) {
      // Every second mask has many cells.
      if (generator() % 10 < (i / kCells % 2 ? 9u : 1u)) weights[i] = draw();
    }
    pool_features(weights.data(), kMasks, features.data(), kCells, d, pooled.data(), pool);
    for (int64_t m = 0; m < kMasks; ++m) {
      for (int64_t k = 0; k < d; ++k) {
        double sum = 0;
        for (int64_t i = 0; i < kCells; ++i) {
          sum += double{weights[m * kCells + i]} * features[i * d + k];
        }
        ASSERT_NEAR(pooled[m * d + k], sum, 2e-5);
      }
    }
  }
}

TEST(Rle, Text) {
  EXPECT_EQ(decompress("137N"), (std::vector<uint32_t>{1, 3, 7, 1}));
  EXPECT_TRUE(decompress("").empty());
  for (const char* bad : {"13P", "1~", "1\n", "oooooooo0", "O"}) {
    EXPECT_THROW(decompress(bad), MaskError) << bad;
  }
}

TEST(ClassifyRegions, EmptyRegionsAreUnlabelled) {
  ThreadPool pool(2);
  const std::vector<float> pooled{3, 0, 0, 0, 0, 2}, text{1, 0, 0, 1};
  const std::vector<int64_t> area{5, 0, 1};
  const std::vector<int32_t> query_to_class{1, 0};
  DecodeOptions options;
  options.query_to_class = query_to_class.data();
  options.classes = 2, options.logit_scale = 100, options.unlabeled = 7;
  std::vector<uint16_t> labels(3);
  std::vector<float> scores(3);
  classify_regions(pooled.data(), area.data(), 3, 2, text.data(), 2, true, options, labels.data(),
                   scores.data(), pool);
  EXPECT_EQ(labels, (std::vector<uint16_t>{1, 7, 0}));
  EXPECT_EQ(scores, (std::vector<float>{1, 0, 1}));
}

}  // namespace
}  // namespace vocabseg::kernels
