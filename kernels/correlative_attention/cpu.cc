#include "kernels/correlative_attention/cpu.h"

#include <cmath>
#include <string>

#include "kernels/correlative_attention/heads.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

void check(const AttentionShape& shape, const AttentionOptions& options) {
  if (shape.batch < 0 || shape.heads < 0 || shape.tokens < 0 || shape.d < 1) {
    throw ShapeError("got tokens [" + std::to_string(shape.batch) + ", " +
                     std::to_string(shape.heads) + ", " + std::to_string(shape.tokens) + ", " +
                     std::to_string(shape.d) + "], expected a width of at least 1");
  }
  if (options.terms.empty()) throw ShapeError("expected at least one term, such as qq");
  const GaussianBias& gaussian = options.gaussian;
  if (gaussian.h == 0) return;
  const int64_t patches = gaussian.h * gaussian.w;
  if (gaussian.h < 1 || gaussian.w < 1 || !(gaussian.std > 0) ||
      (shape.tokens != patches && shape.tokens != patches + 1)) {
    throw ShapeError("got a Gaussian of " + std::to_string(gaussian.std) + " on a grid of " +
                     std::to_string(gaussian.h) + " x " + std::to_string(gaussian.w) + " for " +
                     std::to_string(shape.tokens) +
                     " tokens, expected a positive one and a token for each patch, with or "
                     "without a class token");
  }
}

// exp(-x^2 / (2 std^2)) for x from -(length - 1) to length - 1, and zeros up to a whole vector.
std::vector<float> gaussian_table(float std, int64_t length) {
  constexpr int64_t kLongestVector = 16;
  std::vector<float> table(2 * length - 1 + kLongestVector);
  for (int64_t i = 0; i < 2 * length - 1; ++i) {
    const auto x = static_cast<double>(i - (length - 1)) / std;
    table[i] = static_cast<float>(std::exp(-0.5 * x * x));
  }
  return table;
}

}  // namespace

void correlative_attention(const TokenArray& q, const TokenArray& k, const TokenArray& v,
                           FloatType type, const AttentionShape& shape,
                           const AttentionOptions& options, void* out, ThreadPool& pool) {
  check(shape, options);
  AttentionJob job{{q, k, v}, type, shape, options, out, 0, {}, {}, {}, {}};
  if (options.gaussian.h > 0) {
    job.gaussian_rows = gaussian_table(options.gaussian.std, options.gaussian.h);
    job.gaussian_columns = gaussian_table(options.gaussian.std, options.gaussian.w);
  }
  const PackedSizes sizes = packed_sizes(shape);
  for (const AttentionTerm& term : options.terms) {
    if (!job.right[term.right]) job.right[term.right] = aligned_floats(shape.heads * sizes.right);
  }
  job.values = aligned_floats(shape.heads * sizes.values);
  for (job.batch = 0; job.batch < shape.batch; ++job.batch) {
    pool.parallel_for(shape.heads,
                      [&](int64_t begin, int64_t end) { pack_heads(job, begin, end); });
    pool.parallel_for(attention_tiles(shape),
                      [&](int64_t begin, int64_t end) { attend(job, begin, end); });
  }
}

}  // namespace vocabseg::kernels
