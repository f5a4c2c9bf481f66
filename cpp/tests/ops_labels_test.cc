// Similarity, label decoding, label vote, refinement.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/label_decoding/cpu.h"
#include "kernels/label_decoding/label_vote.h"
#include "kernels/pamr/cpu.h"
#include "kernels/patch_text_similarity/cpu.h"
#include "random_values.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(PatchTextSimilarity, NormalisesPatches) {
  ThreadPool pool(1);
  const std::vector<float> features{3, 4, 0, 0, 0, 2}, text{1, 0, 0, 1};
  std::vector<float> out(6);
  patch_text_similarity(features.data(), 3, 2, text.data(), 2, true, out.data(), pool);
  EXPECT_EQ(out, (std::vector<float>{0.6f, 0, 0, 0.8f, 0, 1}));
  patch_text_similarity(features.data(), 3, 2, text.data(), 2, false, out.data(), pool);
  EXPECT_EQ(out, (std::vector<float>{3, 0, 0, 4, 0, 2}));
  EXPECT_THROW(patch_text_similarity(features.data(), 3, 2, text.data(), 0, true, out.data(), pool),
               ShapeError);
}

struct Grid {
  int queries, grid;
  std::vector<int32_t> query_to_class;
  int classes;
  AxisWeights rows, cols;
  DecodeOptions options;

  Grid(std::vector<int32_t> mapping, int class_count, int grid_side, int side)
      : queries(static_cast<int>(mapping.size())),
        grid(grid_side),
        query_to_class(std::move(mapping)),
        classes(class_count),
        rows(row_weights(single_window(side, side, grid_side, grid_side))),
        cols(col_weights(single_window(side, side, grid_side, grid_side))) {
    options.query_to_class = query_to_class.data();
    options.classes = classes;
    options.unlabeled = 255;
  }
};

TEST(DecodeLabels, BestQueryOfEachClass) {
  ThreadPool pool(1);
  Grid grid({1, 0, 1}, 2, 1, 1);
  const std::vector<float> scores{1, 2, 3};
  uint8_t label = 9;
  float score = 0;
  decode_labels(scores.data(), 3, grid.rows, grid.cols, grid.options, &label, &score, pool);
  EXPECT_EQ(label, 1);
  EXPECT_NEAR(score, std::exp(3) / (std::exp(1) + std::exp(2) + std::exp(3)), 1e-6);
  grid.options.threshold = 0.9f;
  decode_labels(scores.data(), 3, grid.rows, grid.cols, grid.options, &label, &score, pool);
  EXPECT_EQ(label, 255);
}

TEST(DecodeLabels, TiesAndNan) {
  ThreadPool pool(1);
  Grid grid({1, 0, 2}, 3, 1, 1);
  uint16_t label = 9;
  for (const auto& [scores, expected] : std::vector<std::pair<std::vector<float>, int>>{
           {{1, 1, 1}, 0}, {{kNan, kNan, -5}, 2}, {{kNan, kNan, kNan}, 255}}) {
    decode_labels(scores.data(), 3, grid.rows, grid.cols, grid.options, &label, nullptr, pool);
    EXPECT_EQ(label, expected);
  }
}

TEST(DecodeLabels, RefusesLabelsThatDoNotFit) {
  ThreadPool pool(1);
  Grid grid({0, 1}, 2, 1, 1);
  const std::vector<float> scores{1, 2};
  uint8_t label = 0;
  const auto decode = [&] {
    decode_labels(scores.data(), 2, grid.rows, grid.cols, grid.options, &label, nullptr, pool);
  };
  grid.options.unlabeled = 256;
  EXPECT_THROW(decode(), ShapeError);
  grid.options.unlabeled = 255;
  grid.options.classes = 1;
  EXPECT_THROW(decode(), ShapeError);
  grid.options.classes = 2;
  grid.options.logit_scale = 0;
  EXPECT_THROW(decode(), ShapeError);
}

// The vote over up-sampled maps gives what decode_labels gives.
TEST(LabelVote, EqualsDecodeLabels) {
  constexpr int kSide = 23, kPixels = kSide * kSide;
  ThreadPool pool(2);
  Grid grid({2, 0, 1, 0, 3}, 4, 4, kSide);
  std::vector<float> scores = random_values(5 * 16);
  scores[3] = kNan;
  scores[20] = -std::numeric_limits<float>::infinity();
  const std::vector<uint8_t> enabled{1, 1, 0, 1};
  grid.options.logit_scale = 3;
  grid.options.threshold = 0.3f;
  for (const uint8_t* classes : {static_cast<const uint8_t*>(nullptr), enabled.data()}) {
    grid.options.class_enabled = classes;
    std::vector<uint8_t> labels(kPixels), voted(kPixels);
    std::vector<float> best(kPixels), voted_best(kPixels), map(kPixels);
    decode_labels(scores.data(), 5, grid.rows, grid.cols, grid.options, labels.data(), best.data(),
                  pool);
    LabelVote vote(kPixels, 5, grid.options, true, pool);
    for (int q : {4, 2, 0, 1, 3}) {
      upsample_scores(scores.data(), 5, q, grid.rows, grid.cols, map.data(), pool);
      vote.add(q, map.data());
    }
    vote.finish(voted.data(), voted_best.data());
    EXPECT_EQ(labels, voted);
    for (int i = 0; i < kPixels; ++i) EXPECT_NEAR(best[i], voted_best[i], 1e-6);
  }
}

TEST(LabelVote, TiesGoToTheLowerClassInAnyOrder) {
  ThreadPool pool(1);
  const std::vector<int32_t> mapping{1, 0};
  DecodeOptions options;
  options.query_to_class = mapping.data(), options.classes = 2, options.unlabeled = 255;
  const float score = 1;
  for (int first : {0, 1}) {
    LabelVote vote(1, 2, options, false, pool);
    vote.add(first, &score);
    vote.add(1 - first, &score);
    uint8_t label = 9;
    vote.finish(&label, nullptr);
    EXPECT_EQ(label, 0);
    float probability = 0;
    EXPECT_THROW(vote.finish(&label, &probability), ShapeError);
  }
}

TEST(Pamr, FlatImageAveragesNeighbours) {
  ThreadPool pool(2);
  const std::vector<uint8_t> image(5 * 5 * 3, 9);
  std::vector<float> map(25);
  map[12] = 8;
  Pamr pamr({image.data(), 5, 5, 15}, {1}, pool);
  pamr.refine(map.data(), 1, 0);
  EXPECT_EQ(map[12], 8);
  pamr.refine(map.data(), 1, 1);
  EXPECT_EQ(map[12], 0);
  for (int neighbour : {6, 7, 8, 11, 13, 16, 17, 18}) EXPECT_NEAR(map[neighbour], 1, 1e-6);
  EXPECT_EQ(map[0], 0);
}

TEST(Pamr, RefusesWhatCannotWork) {
  ThreadPool pool(1);
  const std::vector<uint8_t> image(12);
  EXPECT_THROW(Pamr({image.data(), 2, 2, 6}, {}, pool), ShapeError);
  EXPECT_THROW(Pamr({image.data(), 2, 2, 6}, {0}, pool), ShapeError);
  EXPECT_THROW(Pamr({nullptr, 2, 2, 6}, {1}, pool), ShapeError);
}

}  // namespace
}  // namespace vocabseg::kernels
