// What label decoding allocates, at the largest shapes of the benchmark.
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

#include "allocation_count.hpp"
#include "kernels/label_decoding/cpu.h"

namespace vocabseg::kernels {
namespace {

TEST(LabelDecodingMemory, StaysBelowFourMegabytes) {
  constexpr int kQueries = 847, kHeight = 1080, kWidth = 1920;
  ThreadPool pool(2);
  std::vector<int32_t> query_to_class(kQueries);
  std::iota(query_to_class.begin(), query_to_class.end(), 0);
  DecodeOptions options;
  options.query_to_class = query_to_class.data();
  options.classes = kQueries;
  options.unlabeled = 65535;
  const WindowPlan plan = single_window(kHeight, kWidth, 32, 57);
  // Independent scores: few queries can be ruled out in a tile.
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  std::vector<float> scores(size_t{kQueries} * size_t(plan.patches()));
  for (float& score : scores) score = normal(generator);
  std::vector<uint16_t> labels(size_t{kHeight} * kWidth);
  std::vector<float> best(labels.size());
  for (float* class_scores : {static_cast<float*>(nullptr), best.data()}) {
    const AllocationCount count;
    decode_labels(scores.data(), kQueries, row_weights(plan), col_weights(plan), options,
                  labels.data(), class_scores, pool);
    EXPECT_GT(count.peak(), 0);
    EXPECT_LT(count.peak(), 4'000'000);
    RecordProperty(class_scores ? "bytes_with_scores" : "bytes", std::to_string(count.peak()));
  }
}

}  // namespace
}  // namespace vocabseg::kernels
