// Patch-text similarity and correlative attention, on every instruction set of this machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/common/targets.h"
#include "kernels/correlative_attention/cpu.h"
#include "kernels/patch_text_similarity/cpu.h"
#include "random_values.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class EveryTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_target(GetParam()); }
  void TearDown() override { force_target(""); }
};
class Similarity : public EveryTarget {};
class Attention : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, Similarity, testing::ValuesIn(supported_targets()));
INSTANTIATE_TEST_SUITE_P(Targets, Attention, testing::ValuesIn(supported_targets()));

// Values of `type`, and the bits that hold them.
struct Typed {
  std::vector<float> values;
  std::vector<uint16_t> bits;
  FloatType type;

  Typed(int64_t count, FloatType of_type, unsigned seed)
      : values(random_values(count, seed)), bits(count), type(of_type) {
    if (type == FloatType::kFloat32) return;
    from_float32(values.data(), count, type, bits.data());
    to_float32(bits.data(), type, count, values.data());
  }
  const void* data() const {
    return type == FloatType::kFloat32 ? static_cast<const void*>(values.data()) : bits.data();
  }
};

constexpr FloatType kTypes[] = {FloatType::kFloat32, FloatType::kFloat16, FloatType::kBFloat16};

TEST_P(Similarity, EqualsTheDefinition) {
  ThreadPool pool(2);
  const int64_t windows = 2, n = 61, d = 37, q = 19;
  const std::vector<float> text = random_values(q * d, 2);
  const PackedMatrix packed = PackedMatrix::pack_transposed(text.data(), d, d, q, pool);
  for (FloatType type : kTypes) {
    const Typed features(windows * n * d, type, 1);
    std::vector<float> out(windows * q * n);
    patch_text_similarity({features.data(), type, windows, n, d}, packed, true, out.data(), pool);
    for (int64_t i = 0; i < windows * n; ++i) {
      const float* row = features.values.data() + i * d;
      double square = 0;
      for (int64_t k = 0; k < d; ++k) square += double{row[k]} * row[k];
      for (int64_t j = 0; j < q; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < d; ++k) sum += double{row[k]} * text[j * d + k];
        EXPECT_NEAR(out[(i / n * q + j) * n + i % n], sum / std::sqrt(square), 1e-5);
      }
    }
  }
}

TEST_P(Similarity, BestClassesOfSynonymsTiesAndNan) {
  ThreadPool pool(1);
  const std::vector<float> features{3, 4, 0, 0, kNan, 1}, text{1, 0, 0, 1, 0, -1};
  const PackedMatrix packed = PackedMatrix::pack_transposed(text.data(), 2, 2, 3, pool);
  const Patches patches{features.data(), FloatType::kFloat32, 1, 3, 2};
  const std::vector<int32_t> of_query{2, 0, 0};
  const QueryClasses classes{of_query.data(), 3};
  std::vector<float> best(9), score(3), margin(3);
  std::vector<int32_t> label(3);
  class_similarity(patches, packed, true, classes, best.data(), pool);
  EXPECT_EQ(std::vector<float>(best.begin(), best.begin() + 2), (std::vector<float>{0.8f, 0}));
  EXPECT_EQ(best[3], -kInfinity);
  EXPECT_TRUE(std::isnan(best[8]));
  const TopClasses out{label.data(), score.data(), margin.data()};
  top_classes(patches, packed, true, &classes, out, pool);
  EXPECT_EQ(label, (std::vector<int32_t>{0, 0, -1}));
  EXPECT_FLOAT_EQ(margin[0], 0.2f);
  EXPECT_EQ(margin[1], 0);
  EXPECT_TRUE(std::isnan(score[2]) && std::isnan(margin[2]));
  top_classes(patches, packed, true, nullptr, out, pool);
  EXPECT_EQ(label, (std::vector<int32_t>{1, 0, -1}));
  const QueryClasses too_few{of_query.data(), 2};
  EXPECT_THROW(class_similarity(patches, packed, true, too_few, best.data(), pool), ShapeError);
}

// The sum over terms of softmax(scale a b^T + bias) v for row `row` of one head.
std::vector<double> attention_row(const std::vector<const float*>& tokens,
                                  const AttentionShape& shape, const AttentionOptions& options,
                                  int64_t row) {
  std::vector<double> out(shape.d);
  for (const AttentionTerm& term : options.terms) {
    std::vector<double> weights(shape.tokens);
    for (int64_t j = 0; j < shape.tokens; ++j) {
      double score = options.bias.data ? options.bias.data[row * shape.tokens + j] : 0;
      for (int64_t x = 0; x < shape.d; ++x) {
        score += options.scale * double{tokens[term.left][row * shape.d + x]} *
                 tokens[term.right][j * shape.d + x];
      }
      weights[j] = score;
    }
    const double largest = *std::max_element(weights.begin(), weights.end());
    double sum = 0;
    for (double& weight : weights) sum += weight = std::exp(weight - largest);
    for (int64_t j = 0; j < shape.tokens; ++j) {
      for (int64_t x = 0; x < shape.d; ++x) {
        out[x] += weights[j] / sum * tokens[kValue][j * shape.d + x];
      }
    }
  }
  return out;
}

TEST_P(Attention, EqualsTheDefinition) {
  ThreadPool pool(2);
  const AttentionShape shape{2, 2, 301, 21};
  const int64_t head = shape.tokens * shape.d, count = shape.batch * shape.heads * head;
  std::vector<float> bias = random_values(shape.tokens * shape.tokens, 9);
  for (size_t i = 0; i < bias.size(); i += 3) bias[i] = -kInfinity;
  AttentionOptions options;
  options.terms = {{kQuery, kQuery}, {kQuery, kKey}};
  options.scale = 0.4f;
  options.bias = {bias.data(), 0, 0, shape.tokens};
  for (FloatType type : kTypes) {
    const Typed q(count, type, 1), k(count, type, 2), v(count, type, 3);
    std::vector<float> out(count);
    std::vector<uint16_t> bits(count);
    void* to = type == FloatType::kFloat32 ? static_cast<void*>(out.data()) : bits.data();
    const auto view = [&](const Typed& x) {
      return TokenArray{x.data(), shape.heads * head, head, shape.d};
    };
    correlative_attention(view(q), view(k), view(v), type, shape, options, to, pool);
    if (type != FloatType::kFloat32) to_float32(bits.data(), type, count, out.data());
    const double rounding = type == FloatType::kFloat32 ? 0 : 0.01;
    for (int64_t at = 0; at < count; at += head) {
      const std::vector<const float*> tokens{q.values.data() + at, k.values.data() + at,
                                             v.values.data() + at};
      for (int64_t row : {int64_t{0}, int64_t{13}, shape.tokens - 1}) {
        const std::vector<double> expected = attention_row(tokens, shape, options, row);
        for (int64_t x = 0; x < shape.d; ++x) {
          EXPECT_NEAR(out[at + row * shape.d + x], expected[x],
                      1e-5 + rounding * std::abs(expected[x]));
        }
      }
    }
  }
}

TEST_P(Attention, TheGaussianIsThatOfTheGrid) {
  ThreadPool pool(1);
  const int64_t h = 3, w = 21, tokens = h * w + 1;
  const AttentionShape shape{1, 1, tokens, 4};
  std::vector<float> bias(tokens * tokens);
  for (int64_t i = 1; i < tokens; ++i) {
    for (int64_t j = 1; j < tokens; ++j) {
      const auto y = static_cast<double>((i - 1) / w - (j - 1) / w);
      const auto x = static_cast<double>((i - 1) % w - (j - 1) % w);
      bias[i * tokens + j] = static_cast<float>(std::exp(-(x * x + y * y) / (2 * 1.5 * 1.5)));
    }
  }
  const std::vector<float> k = random_values(tokens * 4, 1), v = random_values(tokens * 4, 2);
  const TokenArray keys{k.data(), 0, 0, 4}, values{v.data(), 0, 0, 4};
  std::vector<float> expected(tokens * 4), out(tokens * 4);
  AttentionOptions options;
  options.terms = {{kKey, kKey}};
  options.bias = {bias.data(), 0, 0, tokens};
  const auto run = [&](float* to) {
    correlative_attention(keys, keys, values, FloatType::kFloat32, shape, options, to, pool);
  };
  run(expected.data());
  options.bias = {};
  options.gaussian = {1.5f, h, w};
  run(out.data());
  for (size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], expected[i], 1e-6);
  options.gaussian = {1.5f, h, w + 1};
  EXPECT_THROW(run(out.data()), ShapeError);
}

}  // namespace
}  // namespace vocabseg::kernels
