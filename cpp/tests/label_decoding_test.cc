// Label decoding: pruning changes no label.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/common/targets.h"
#include "kernels/label_decoding/axis_tiles.h"
#include "kernels/label_decoding/cpu.h"
#include "kernels/label_decoding/region_vote.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

WindowPlan sliding(int height, int width) {
  WindowRule rule;
  rule.height = rule.width = 32;
  rule.stride_y = rule.stride_x = 12;
  rule.short_side = 50, rule.long_side = 400;
  rule.grid_h = rule.grid_w = 4;
  return plan_windows(rule, height, width);
}

// Scores of three kinds: independent; smooth, so that few queries are left; and the same everywhere
// but for the last bits, which rounding can make equal, so that the lower class wins.
std::vector<float> make_scores(const WindowPlan& plan, int queries, int kind) {
  std::mt19937 generator(static_cast<unsigned>(kind));
  std::normal_distribution<float> normal;
  std::vector<float> scores;
  for (int w = 0; w < plan.windows(); ++w) {
    for (int q = 0; q < queries; ++q) {
      for (int p = 0; p < plan.patches(); ++p) {
        const auto angle = static_cast<float>(q * 7 % queries + p % plan.grid_w - p / plan.grid_w);
        const float smooth = std::sin(angle / 9);
        const float same = 0.3f + static_cast<float>(q % 4) * 0x1p-25f;
        scores.push_back(kind == 0 ? normal(generator) : kind == 1 ? smooth : same);
      }
    }
  }
  return scores;
}

// Every query up-sampled, and compared at every pixel.
std::vector<uint16_t> compare_all(const std::vector<float>& scores, int queries,
                                  const AxisWeights& rows, const AxisWeights& cols,
                                  ThreadPool& pool) {
  const size_t pixels = size_t(rows.rows) * size_t(cols.rows);
  std::vector<uint16_t> labels(pixels, 65535);
  std::vector<float> map(pixels), best(pixels, -kInfinity);
  for (int q = 0; q < queries; ++q) {
    upsample_scores(scores.data(), queries, q, rows, cols, map.data(), pool);
    for (size_t i = 0; i < pixels; ++i) {
      if (!(map[i] > best[i])) continue;
      best[i] = map[i];
      labels[i] = static_cast<uint16_t>(q);
    }
  }
  return labels;
}

DecodeOptions options_for(std::vector<int32_t>& query_to_class, int queries) {
  for (int q = 0; q < queries; ++q) query_to_class.push_back(q);
  DecodeOptions options;
  options.query_to_class = query_to_class.data();
  options.classes = queries;
  options.unlabeled = 65535;
  options.logit_scale = 40;
  return options;
}

class EveryTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_target(GetParam()); }
  void TearDown() override { force_target(""); }
};

INSTANTIATE_TEST_SUITE_P(LabelDecoding, EveryTarget, testing::ValuesIn(supported_targets()),
                         [](const auto& info) { return info.param; });

TEST_P(EveryTarget, PruningChangesNoLabel) {
  constexpr int kQueries = 60;
  ThreadPool pool(2);
  std::vector<int32_t> query_to_class;
  const DecodeOptions options = options_for(query_to_class, kQueries);
  for (const WindowPlan& plan :
       {single_window(45, 61, 5, 7), sliding(83, 61), single_window(9, 5, 12, 17)}) {
    const AxisWeights rows = row_weights(plan), cols = col_weights(plan);
    std::vector<uint16_t> labels(size_t(rows.rows) * size_t(cols.rows));
    std::vector<float> best(labels.size());
    for (int kind = 0; kind < 3; ++kind) {
      std::vector<float> scores = make_scores(plan, kQueries, kind);
      for (const float value : {0.f, std::nanf(""), -kInfinity, kInfinity}) {
        if (value != 0) scores[scores.size() / 2] = scores[3] = value;
        const auto expected = compare_all(scores, kQueries, rows, cols, pool);
        decode_labels(scores.data(), kQueries, rows, cols, options, labels.data(), nullptr, pool);
        EXPECT_EQ(labels, expected) << kind << " " << value;
        decode_labels(scores.data(), kQueries, rows, cols, options, labels.data(), best.data(),
                      pool);
        EXPECT_EQ(labels, expected) << kind << " " << value;
      }
    }
  }
}

TEST(AxisTiles, CoverTheAxisWithItsWeights) {
  for (const AxisWeights& axis :
       {row_weights(sliding(83, 61)), col_weights(single_window(1, 1000, 1, 2)),
        row_weights(single_window(3, 1, 8, 1)),
        col_weights(sliding(83, 61), 40, Interpolation::kNearest)}) {
    int next = 0;
    for (const AxisTile& tile : cut_axis(axis)) {
      EXPECT_EQ(tile.begin, next);
      next = tile.end;
      int exact_next = tile.begin;
      for (const AxisTile& part : cut_exactly(axis, tile.begin, tile.end)) {
        EXPECT_EQ(part.begin, exact_next);
        exact_next = part.end;
        for (int pixel = part.begin; pixel < part.end; ++pixel) {
          EXPECT_EQ(part.patches(), axis.offset[pixel + 1] - axis.offset[pixel]);
          for (int k = 0; k < part.patches(); ++k) {
            EXPECT_EQ(part.index[k], axis.index[axis.offset[pixel] + k]);
            EXPECT_EQ(part.weight[k * part.stride + pixel - part.begin],
                      axis.weight[axis.offset[pixel] + k]);
          }
        }
      }
      EXPECT_EQ(exact_next, tile.end);
      for (int pixel = tile.begin; pixel < tile.end; ++pixel) {
        float sum = 0;
        for (int k = 0; k < tile.patches(); ++k)
          sum += tile.weight[k * tile.stride + pixel - tile.begin];
        EXPECT_NEAR(sum, 1, 1e-6);
      }
    }
    EXPECT_EQ(next, axis.rows);
  }
}

TEST(RegionVote, MostVotesWin) {
  const std::vector<int32_t> regions{2, 2, 2, 0, 0, -1, 4};
  std::vector<uint8_t> labels{1, 0, 0, 1, 0, 1, 255};
  std::vector<float> scores(7, 0.9f);
  vote_regions(regions.data(), 7, 2, 255, labels.data(), scores.data());
  EXPECT_EQ(labels, (std::vector<uint8_t>{0, 0, 0, 0, 0, 1, 255}));
  EXPECT_EQ(scores, (std::vector<float>{2 / 3.f, 2 / 3.f, 2 / 3.f, 0.5f, 0.5f, 0.9f, 0}));
  const std::vector<int32_t> large(7, kMaxRegions);
  EXPECT_THROW(vote_regions<uint8_t>(large.data(), 7, 2, 255, labels.data(), nullptr), MaskError);
}

}  // namespace
}  // namespace vocabseg::kernels
