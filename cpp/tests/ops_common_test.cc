// Thread pool, window plans, axis weights.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/common/axis_weights.h"
#include "kernels/common/thread_pool.h"
#include "kernels/common/window_plan.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

TEST(ThreadPool, VisitsEveryIndexOnce) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int64_t n : {0, 1, 2, 7, 1000}) {
      for (int64_t grain : {0, 1, 3, 2000}) {
        std::vector<std::atomic<int>> visits(n);
        const auto count = [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) ++visits[i];
        };
        pool.parallel_for(n, count, grain);
        for (const auto& count : visits) EXPECT_EQ(count, 1);
      }
    }
  }
}

TEST(ThreadPool, CutsIntoGrains) {
  ThreadPool pool(2);
  std::mutex mutex;
  std::set<std::pair<int64_t, int64_t>> chunks;
  const auto collect = [&](int64_t begin, int64_t end) {
    std::lock_guard lock(mutex);
    chunks.insert({begin, end});
  };
  pool.parallel_for(7, collect, 3);
  EXPECT_EQ(chunks, (std::set<std::pair<int64_t, int64_t>>{{0, 3}, {3, 6}, {6, 7}}));
  chunks.clear();
  pool.parallel_for(5, collect);
  EXPECT_EQ(chunks, (std::set<std::pair<int64_t, int64_t>>{{0, 3}, {3, 5}}));
}

TEST(ThreadPool, SmallLoopsStayOnTheCaller) {
  ThreadPool pool(4);
  const auto caller = std::this_thread::get_id();
  for (int round = 0; round < 20; ++round) {
    pool.parallel_for(
        8, [&](int64_t, int64_t) { EXPECT_EQ(std::this_thread::get_id(), caller); }, 8);
  }
}

TEST(ThreadPool, ShortLoopsInARowAndAfterSleep) {
  for (int threads : {2, 3, 9}) {
    ThreadPool pool(threads);
    int64_t expected = 0;
    std::vector<int64_t> sums(16);
    for (int round = 0; round < 2000; ++round) {
      if (round % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      pool.parallel_for(
          16,
          [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) sums[i] += round;
          },
          1 + round % 3);
      expected += round;
    }
    EXPECT_EQ(sums, std::vector<int64_t>(16, expected));
  }
}

TEST(ThreadPool, ThrowsWhatABodyThrowsAndGoesOn) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.parallel_for(3, [](int64_t, int64_t) { throw std::out_of_range("no"); }),
               std::out_of_range);
  std::atomic<int> done{0};
  pool.parallel_for(3, [&](int64_t begin, int64_t end) { done += static_cast<int>(end - begin); });
  EXPECT_EQ(done, 3);
}

TEST(ThreadPool, ServesSeveralCallers) {
  ThreadPool pool(2);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        pool.parallel_for(10, [&](int64_t begin, int64_t end) { sum += end - begin; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 4 * 50 * 10);
}

WindowRule slide_rule() {
  WindowRule rule;
  rule.height = rule.width = 224;
  rule.stride_y = rule.stride_x = 112;
  rule.short_side = 336, rule.long_side = 2048;
  rule.grid_h = rule.grid_w = 14;
  return rule;
}

TEST(WindowPlan, SlidesOverTheResizedFrame) {
  const WindowPlan plan = plan_windows(slide_rule(), 480, 640);
  EXPECT_EQ(plan.net_h, 336);
  EXPECT_EQ(plan.net_w, 448);
  EXPECT_EQ(plan.ys, (std::vector<int>{0, 112}));
  EXPECT_EQ(plan.xs, (std::vector<int>{0, 112, 224}));
  EXPECT_EQ(plan.windows(), 6);
}

TEST(WindowPlan, SmallFramesArePadded) {
  WindowRule rule = slide_rule();
  rule.long_side = 300;
  const WindowPlan plan = plan_windows(rule, 100, 300);
  EXPECT_EQ(plan.window_h, 100);
  EXPECT_EQ(plan.pad_top, 62);
  EXPECT_EQ(plan.ys, (std::vector<int>{0}));
  EXPECT_EQ(plan.xs, (std::vector<int>{0, 76}));
}

TEST(WindowPlan, WholeFramesGiveOneWindowAtTheExactAspect) {
  WindowRule rule;
  rule.mode = WindowMode::kWhole;
  rule.height = 336, rule.width = 448, rule.grid_h = 21, rule.grid_w = 28;
  EXPECT_EQ(plan_windows(rule, 480, 640).windows(), 1);
  EXPECT_EQ(plan_windows(rule, 640, 480).ys, (std::vector<int>{0, 261}));
}

TEST(WindowPlan, RefusesWhatCannotWork) {
  EXPECT_THROW(plan_windows(WindowRule{}, 10, 10), ShapeError);
  EXPECT_THROW(plan_windows(slide_rule(), 0, 10), ShapeError);
  WindowPlan plan = single_window(10, 10, 2, 2);
  plan.xs = {0, 20};
  EXPECT_THROW(check_plan(plan), ShapeError);
}

std::vector<float> row(const AxisWeights& axis, int i) {
  std::vector<float> dense(axis.columns());
  for (int k = axis.offset[i]; k < axis.offset[i + 1]; ++k) dense[axis.index[k]] = axis.weight[k];
  return dense;
}

TEST(AxisWeights, OneWindowByHand) {
  const AxisWeights axis = row_weights(single_window(4, 1, 2, 1));
  EXPECT_EQ(row(axis, 0), (std::vector<float>{1, 0}));
  EXPECT_EQ(row(axis, 1), (std::vector<float>{0.75, 0.25}));
  EXPECT_EQ(row(axis, 3), (std::vector<float>{0, 1}));
}

TEST(AxisWeights, OverlapIsAveraged) {
  WindowPlan plan = single_window(3, 1, 1, 1);
  plan.window_h = plan.padded_h = 2;
  plan.ys = {0, 1};
  const AxisWeights axis = row_weights(plan);
  EXPECT_EQ(row(axis, 0), (std::vector<float>{1, 0}));
  EXPECT_EQ(row(axis, 1), (std::vector<float>{0.5, 0.5}));
  EXPECT_EQ(row(axis, 2), (std::vector<float>{0, 1}));
}

TEST(AxisWeights, RowsSumToOne) {
  const WindowPlan plan = plan_windows(slide_rule(), 371, 1023);
  for (const AxisWeights& axis : {row_weights(plan), col_weights(plan), col_weights(plan, 77)}) {
    for (int i = 0; i < axis.rows; ++i) {
      float sum = 0;
      for (float weight : row(axis, i)) sum += weight;
      EXPECT_NEAR(sum, 1, 1e-6);
    }
  }
}

}  // namespace
}  // namespace vocabseg::kernels
