// Attention between any pair of q, k and v, without the matrix of weights.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/float_types.h"
#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

struct AttentionShape {
  int64_t batch, heads, tokens, d;
};

// An array [batch, heads, tokens, d]: strides in elements, channels adjacent.
struct TokenArray {
  const void* data;
  int64_t batch_stride, head_stride, token_stride;
};

enum TokenKind { kQuery, kKey, kValue };

// softmax(scale * left right^T + bias) v
struct AttentionTerm {
  TokenKind left, right;
};

// An array [batch, heads, tokens, tokens]: strides in elements, 0 where it is broadcast; columns
// adjacent. Null data: none.
struct AttentionBias {
  const float* data = nullptr;
  int64_t batch_stride = 0, head_stride = 0, row_stride = 0;
};

// exp(-((i - m)^2 + (j - n)^2) / (2 std^2)) for patches (i, j) and (m, n) of a grid of h x w; 0 in
// the row and the column of a class token, if there is one before the patches. h = 0: none.
struct GaussianBias {
  float std = 0;
  int64_t h = 0, w = 0;
};

struct AttentionOptions {
  std::vector<AttentionTerm> terms;
  bool mean = false;  // of the terms; otherwise their sum
  float scale = 1;
  AttentionBias bias;
  GaussianBias gaussian;
};

// out [batch, heads, tokens, d], dense, of `type` as q, k and v: the sum or mean over the terms.
// Scores, softmax and sums are float32. A row whose scores are all -infinity gives zeros; a NaN
// among the scores of a row, or a score of +infinity, gives NaN. Memory beside the result:
// O(heads * tokens * d).
void correlative_attention(const TokenArray& q, const TokenArray& k, const TokenArray& v,
                           FloatType type, const AttentionShape& shape,
                           const AttentionOptions& options, void* out, ThreadPool& pool);

}  // namespace vocabseg::kernels
