// Float types and matrix products, on every instruction set of this machine.
#include "kernels/common/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/common/float_types.h"
#include "kernels/common/targets.h"

namespace vocabseg::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class EveryTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_target(GetParam()); }
  void TearDown() override { force_target(""); }
};
class FloatTypes : public EveryTarget {};
class Gemm : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, FloatTypes, testing::ValuesIn(supported_targets()));
INSTANTIATE_TEST_SUITE_P(Targets, Gemm, testing::ValuesIn(supported_targets()));

std::vector<uint16_t> all_halves() {
  std::vector<uint16_t> values(65536);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint16_t>(i);
  return values;
}

std::vector<float> widen(const std::vector<uint16_t>& values, FloatType type) {
  std::vector<float> wide(values.size());
  to_float32(values.data(), type, static_cast<int64_t>(values.size()), wide.data());
  return wide;
}
std::vector<uint16_t> narrow(const std::vector<float>& values, FloatType type) {
  std::vector<uint16_t> narrow(values.size());
  from_float32(values.data(), static_cast<int64_t>(values.size()), type, narrow.data());
  return narrow;
}

// The value of 16 bits with `mantissa_bits` of mantissa, by the definition of the format.
double value_of(uint16_t bits, int mantissa_bits) {
  const int exponent_bits = 15 - mantissa_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return mantissa ? std::numeric_limits<double>::quiet_NaN()
                    : sign * std::numeric_limits<double>::infinity();
  }
  const int implicit = exponent ? 1 << mantissa_bits : 0;
  return sign * std::ldexp(implicit + mantissa, std::max(exponent, 1) - bias - mantissa_bits);
}

int mantissa_bits(FloatType type) { return type == FloatType::kFloat16 ? 10 : 7; }

constexpr FloatType kNarrowTypes[] = {FloatType::kFloat16, FloatType::kBFloat16};

TEST_P(FloatTypes, EveryValueGoesThereAndBack) {
  const std::vector<uint16_t> halves = all_halves();
  for (FloatType type : kNarrowTypes) {
    const std::vector<float> wide = widen(halves, type);
    const std::vector<uint16_t> back = narrow(wide, type);
    for (size_t i = 0; i < halves.size(); ++i) {
      const double expected = value_of(halves[i], mantissa_bits(type));
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(wide[i])) << i;
        EXPECT_TRUE(std::isnan(value_of(back[i], mantissa_bits(type)))) << i;
      } else {
        EXPECT_EQ(wide[i], expected) << i;
        EXPECT_EQ(back[i], halves[i]) << i;
      }
    }
  }
}

// Halfway between neighbours goes to the even one; the next float32 on either side to the nearer.
TEST_P(FloatTypes, RoundsToNearestEven) {
  for (FloatType type : kNarrowTypes) {
    const auto infinity = static_cast<uint16_t>(type == FloatType::kFloat16 ? 0x7c00 : 0x7f80);
    std::vector<float> values;
    std::vector<uint16_t> expected;
    for (uint16_t low = 0; low < infinity; ++low) {
      const auto high = static_cast<uint16_t>(low + 1);
      const double top = high == infinity ? std::ldexp(1, type == FloatType::kFloat16 ? 16 : 128)
                                          : value_of(high, mantissa_bits(type));
      const auto middle = static_cast<float>((value_of(low, mantissa_bits(type)) + top) / 2);
      const uint16_t even = low % 2 ? high : low;
      for (float sign : {1.f, -1.f}) {
        const auto bit = static_cast<uint16_t>(sign < 0 ? 0x8000 : 0);
        values.insert(values.end(), {sign * std::nextafter(middle, 0.f), sign * middle,
                                     sign * std::nextafter(middle, kInfinity)});
        for (uint16_t rounded : {low, even, high}) {
          expected.push_back(static_cast<uint16_t>(rounded | bit));
        }
      }
    }
    values.insert(values.end(), {1e-45f, kInfinity});
    expected.insert(expected.end(), {0, infinity});
    if (type == FloatType::kFloat16) values.push_back(3e38f), expected.push_back(infinity);
    EXPECT_EQ(narrow(values, type), expected);
  }
}

TEST_P(FloatTypes, NanStaysNanWhateverItsBits) {
  const std::vector<uint32_t> bits{0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fc00000};
  std::vector<float> values(40);
  for (size_t i = 0; i < values.size(); ++i) {
    std::memcpy(&values[i], &bits[i % bits.size()], sizeof(float));
  }
  for (FloatType type : kNarrowTypes) {
    for (uint16_t narrowed : narrow(values, type)) {
      EXPECT_TRUE(std::isnan(value_of(narrowed, mantissa_bits(type))));
    }
  }
}

TEST_P(FloatTypes, RowsOfAnyLength) {
  for (FloatType type : kNarrowTypes) {
    for (int64_t count = 0; count < 40; ++count) {
      std::vector<float> row(count), back(count + 1, -1);
      for (int64_t i = 0; i < count; ++i) row[i] = static_cast<float>(i);
      std::vector<uint16_t> bits(count + 1, 0xffff);
      from_float32(row.data(), count, type, bits.data());
      to_float32(bits.data(), type, count, back.data());
      EXPECT_EQ(bits[count], 0xffff);
      row.push_back(-1);
      EXPECT_EQ(back, row);
    }
  }
}

std::vector<float> random_matrix(int64_t rows, int64_t stride, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(rows * stride);
  for (float& value : values) value = normal(generator);
  return values;
}

struct Shape {
  int64_t m, n, k;
};

// Strides leave a gap after each row, whose value has to stay.
std::vector<float> product(const Shape& shape, bool transposed, int threads) {
  ThreadPool pool(threads);
  const auto [m, n, k] = shape;
  const int64_t lda = k + 3, ldb = (transposed ? k : n) + 2, ldc = n + 1;
  const std::vector<float> a = random_matrix(m, lda, 1);
  const std::vector<float> b = random_matrix(transposed ? n : k, ldb, 2);
  const PackedMatrix packed = transposed ? PackedMatrix::pack_transposed(b.data(), ldb, k, n, pool)
                                         : PackedMatrix::pack(b.data(), ldb, k, n, pool);
  std::vector<float> c(m * ldc, 7.f);
  gemm(a.data(), lda, m, packed, c.data(), ldc, pool);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t x = 0; x < k; ++x) {
        sum += double{a[i * lda + x]} * b[transposed ? j * ldb + x : x * ldb + j];
      }
      EXPECT_NEAR(c[i * ldc + j], sum, 1e-5 * static_cast<double>(k + 1));
    }
    EXPECT_EQ(c[i * ldc + n], 7.f);
  }
  return c;
}

TEST_P(Gemm, EqualsTheDefinition) {
  for (const Shape& shape : {Shape{1, 1, 1},
                             {3, 5, 7},
                             {14, 32, 16},
                             {15, 33, 257},
                             {57, 31, 512},
                             {100, 171, 64},
                             {8, 16, 0},
                             {0, 4, 3},
                             {6, 100, 300}}) {
    for (bool transposed : {false, true}) product(shape, transposed, 1);
  }
}

TEST_P(Gemm, SameBitsForAnyNumberOfThreads) {
  const Shape shape{83, 45, 300};
  const std::vector<float> expected = product(shape, false, 1);
  for (int threads : {2, 3, 7}) EXPECT_EQ(product(shape, false, threads), expected);
}

}  // namespace
}  // namespace vocabseg::kernels
