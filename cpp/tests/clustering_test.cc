// DBSCAN, cluster maps, and the sorting networks behind the median, on every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/clustering/cpu.h"
#include "kernels/clustering/sorting_network.h"
#include "kernels/common/targets.h"
#include "random_values.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
using Labels = std::vector<int32_t>;

class Clustering : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_target(GetParam()); }
  void TearDown() override { force_target(""); }

  Labels cluster(const std::vector<float>& rows, int64_t d, float eps, int min_samples) {
    return dbscan(rows.data(), static_cast<int64_t>(rows.size()) / d, d, eps, min_samples, pool_);
  }

  std::vector<float> maps(const std::vector<float>& affinity, const Labels& labels, int clusters,
                          const MapSizes& sizes) {
    std::vector<float> maps(static_cast<size_t>(clusters) * sizes.gh * sizes.gw * sizes.factor *
                            sizes.factor);
    cluster_maps(affinity.data(), labels.data(), clusters, sizes, maps.data(), pool_);
    return maps;
  }

  ThreadPool pool_{2};
};
INSTANTIATE_TEST_SUITE_P(Targets, Clustering, testing::ValuesIn(supported_targets()));

TEST_P(Clustering, CountsClustersByTheirFirstCorePoint) {
  const std::vector<float> line{9, 0, 9.5f, 1, 2, 30, 10, kNan};
  EXPECT_EQ(cluster(line, 1, 1, 2), (Labels{0, 1, 0, 1, 1, -1, 0, -1}));
  EXPECT_EQ(cluster(line, 1, 1, 3), (Labels{0, 1, 0, 1, 1, -1, 0, -1}));
  EXPECT_EQ(cluster(line, 1, 0.75f, 3), (Labels{0, -1, 0, -1, -1, -1, 0, -1}));
  EXPECT_EQ(cluster(line, 1, 0.5f, 1), (Labels{0, 1, 0, 2, 3, 4, 0, -1}));
}

TEST_P(Clustering, BordersGoToTheFirstCluster) {
  EXPECT_EQ(cluster({4, 4.25f, 4.5f, 3.125f, 2.25f, 2, 1.75f}, 1, 1, 4),
            (Labels{0, 0, 0, 0, 1, 1, 1}));
}

TEST_P(Clustering, PointsAtEpsAreNear) {
  const std::vector<float> triangle{0, 0, 3, 4, 1e6f, 1e6f, 1e6f + 3, 1e6f + 4};
  EXPECT_EQ(cluster(triangle, 2, 5, 2), (Labels{0, 0, 1, 1}));
  EXPECT_EQ(cluster(triangle, 2, std::nextafter(5.f, 0.f), 2), (Labels{-1, -1, -1, -1}));
}

// Against connected components of the graph of core points, all distances in float64.
TEST_P(Clustering, EqualsTheDefinition) {
  constexpr int64_t kPoints = 150, kWidth = 270;
  constexpr int kMinSamples = 4;
  const float eps = std::sqrt(2.f * kWidth) * 0.97f;
  const std::vector<float> rows = random_values(kPoints * kWidth);
  const auto near = [&](int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t k = 0; k < kWidth; ++k) {
      sum += std::pow(double{rows[i * kWidth + k]} - double{rows[j * kWidth + k]}, 2);
    }
    return sum <= eps * eps;
  };
  std::vector<bool> core;
  for (int64_t i = 0; i < kPoints; ++i) {
    int count = 0;
    for (int64_t j = 0; j < kPoints; ++j) count += near(i, j);
    core.push_back(count >= kMinSamples);
  }
  Labels expected(kPoints, -1);
  int32_t clusters = 0;
  for (int64_t seed = 0; seed < kPoints; ++seed) {
    if (!core[seed] || expected[seed] >= 0) continue;
    std::vector<int64_t> reached{seed};
    expected[seed] = clusters;
    for (size_t r = 0; r < reached.size(); ++r) {
      for (int64_t j = 0; core[reached[r]] && j < kPoints; ++j) {
        if (expected[j] >= 0 || !near(reached[r], j)) continue;
        expected[j] = clusters;
        reached.push_back(j);
      }
    }
    ++clusters;
  }
  EXPECT_GT(clusters, 0);
  EXPECT_GT(std::count(expected.begin(), expected.end(), -1), 0);
  EXPECT_EQ(cluster(rows, kWidth, eps, kMinSamples), expected);
}

TEST_P(Clustering, RefusesWhatCannotBeClustered) {
  const std::vector<float> rows{1, 2};
  EXPECT_THROW(cluster(rows, 1, 0, 1), ShapeError);
  EXPECT_THROW(cluster(rows, 1, kNan, 1), ShapeError);
  EXPECT_THROW(cluster(rows, 1, 1, 0), ShapeError);
  EXPECT_THROW(dbscan(rows.data(), 2, 0, 1, 1, pool_), ShapeError);
  EXPECT_TRUE(dbscan(nullptr, 0, 3, 1, 1, pool_).empty());
}

TEST_P(Clustering, MapsAreMeansThatAreUpSampled) {
  const std::vector<float> affinity{0, 4, 8, kNan, kNan, kNan, 4, 0, 8};
  const auto found = maps(affinity, {0, -1, 0}, 2, {1, 3, 2, 1});
  const std::vector<float> row{2, 2, 2, 3.5f, 6.5f, 8};  // from means of 2, 2, 8
  std::vector<float> expected = row;
  expected.insert(expected.end(), row.begin(), row.end());
  expected.resize(24);  // the second cluster has no rows
  EXPECT_EQ(found, expected);
}

// The median of size x size pixels, mirrored at the edges.
float median_at(const std::vector<float>& pixels, int height, int width, int y, int x, int size) {
  const auto mirrored = [](int i, int n) {
    for (;;) {
      if (i < 0) {
        i = -1 - i;
      } else if (i >= n) {
        i = 2 * n - 1 - i;
      } else {
        return i;
      }
    }
  };
  std::vector<float> window;
  for (int dy = -size / 2; dy <= size / 2; ++dy) {
    for (int dx = -size / 2; dx <= size / 2; ++dx) {
      window.push_back(pixels[mirrored(y + dy, height) * width + mirrored(x + dx, width)]);
    }
  }
  const auto middle = window.begin() + static_cast<std::ptrdiff_t>(window.size() / 2);
  std::nth_element(window.begin(), middle, window.end());
  return *middle;
}

TEST_P(Clustering, MediansAreExact) {
  constexpr int kHeight = 5, kWidth = 21, kPixels = kHeight * kWidth;
  std::vector<float> affinity = random_values(kPixels * kPixels);
  const std::vector<float> pixels(affinity.begin() + 3 * kPixels, affinity.begin() + 4 * kPixels);
  Labels labels(kPixels, -1);
  labels[3] = 0;
  for (int size = 1; size <= 31; size += 2) {
    const auto found = maps(affinity, labels, 1, {kHeight, kWidth, 1, size});
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 0; x < kWidth; ++x) {
        ASSERT_EQ(found[y * kWidth + x], median_at(pixels, kHeight, kWidth, y, x, size)) << size;
      }
    }
  }
}

TEST_P(Clustering, NanCountsAsInfinityInTheMedian) {
  const std::vector<float> affinity(9, kNan);
  const auto found = maps(affinity, {0, 0, 0}, 1, {1, 3, 4, 7});
  EXPECT_TRUE(std::all_of(found.begin(), found.end(), [](float v) { return std::isinf(v); }));
}

TEST_P(Clustering, RefusesMapsThatDoNotFit) {
  const std::vector<float> affinity(4);
  EXPECT_THROW(maps(affinity, {0, 1}, 1, {1, 2, 4, 7}), ShapeError);
  EXPECT_THROW(maps(affinity, {0, 0}, 1, {1, 2, 4, 6}), ShapeError);
  EXPECT_THROW(maps(affinity, {0, 0}, 1, {1, 2, 4, 33}), ShapeError);
  EXPECT_THROW(maps(affinity, {0, 0}, 1, {1, 2, 0, 7}), ShapeError);
  EXPECT_TRUE(maps(affinity, {-1, -1}, 0, {1, 2, 4, 7}).empty());
}

bool sorts(const SortingNetwork& network, std::vector<int> values) {
  for (const auto& [low, high] : network.exchanges) {
    if (values[low] > values[high]) std::swap(values[low], values[high]);
  }
  std::vector<int> sorted;
  for (int place : network.order) sorted.push_back(values[place]);
  return sorted.size() == values.size() && std::is_sorted(sorted.begin(), sorted.end());
}

// A network that sorts every list of zeros and ones sorts every list.
TEST(SortingNetwork, SortsZerosAndOnes) {
  for (int n = 0; n <= 11; ++n) {
    const SortingNetwork network = sorting_network(n);
    for (int bits = 0; bits < 1 << n; ++bits) {
      std::vector<int> values;
      for (int i = 0; i < n; ++i) values.push_back(bits >> i & 1);
      ASSERT_TRUE(sorts(network, values)) << n;
    }
  }
}

TEST(SortingNetwork, MergesSortedZerosAndOnes) {
  for (int p = 0; p <= 30; ++p) {
    for (int q = 0; q <= 30; ++q) {
      const SortingNetwork network = merging_network(p, q);
      for (int i = 0; i <= p; ++i) {
        for (int j = 0; j <= q; ++j) {
          std::vector<int> values(p + q);
          std::fill(values.begin() + i, values.begin() + p, 1);
          std::fill(values.begin() + p + j, values.end(), 1);
          ASSERT_TRUE(sorts(network, values)) << p << " and " << q;
        }
      }
    }
  }
}

}  // namespace
}  // namespace vocabseg::kernels
