#include "kernels/correlative_attention/heads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/correlative_attention/heads.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "kernels/common/float_types-inl.h"
#include "kernels/common/gemm-inl.h"
#include "kernels/correlative_attention/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {

constexpr int64_t kKeys = 256 / kPanel * kPanel;  // of a tile of scores
constexpr int64_t kGap = 64 / sizeof(float);      // between rows, for the sake of the cache
constexpr int64_t kScoreStride = kKeys + kGap;

int64_t value_stride(const AttentionShape& shape) {
  return (shape.d + kLanes - 1) / kLanes * kLanes;
}
PackedSizes sizes(const AttentionShape& shape) {
  return {panels(shape.tokens) * kPanel * shape.d, shape.tokens * value_stride(shape)};
}
int64_t tiles_per_head(const AttentionShape& shape) {
  return (shape.tokens + kTileRows - 1) / kTileRows;
}
int64_t tile_count(const AttentionShape& shape) { return shape.heads * tiles_per_head(shape); }

HWY_INLINE void load_token(const AttentionJob& job, TokenKind kind, int64_t head, int64_t token,
                           float* to) {
  const TokenArray& array = job.tokens[kind];
  const int64_t index =
      job.batch * array.batch_stride + head * array.head_stride + token * array.token_stride;
  widen(element(array.data, job.type, index), job.type, job.shape.d, to);
}

void pack_head(const AttentionJob& job, int64_t head) {
  const auto [right_size, value_size] = sizes(job.shape);
  const int64_t d = job.shape.d, tokens = job.shape.tokens, stride = value_stride(job.shape);
  const AlignedFloats rows = aligned_floats(kPanel * d);
  for (TokenKind kind : {kQuery, kKey, kValue}) {
    if (!job.right[kind]) continue;
    float* panel = job.right[kind].get() + head * right_size;
    for (int64_t first = 0; first < tokens; first += kPanel, panel += kPanel * d) {
      const int64_t width = std::min(kPanel, tokens - first);
      if (width < kPanel) std::fill_n(rows.get(), kPanel * d, 0.f);
      for (int64_t i = 0; i < width; ++i) {
        load_token(job, kind, head, first + i, rows.get() + i * d);
      }
      transpose(rows.get(), d, kPanel, d, panel, kPanel);
    }
  }
  float* value = job.values.get() + head * value_size;
  for (int64_t i = 0; i < tokens; ++i, value += stride) {
    load_token(job, kValue, head, i, value);
    std::fill(value + d, value + stride, 0.f);
  }
}

void pack(const AttentionJob& job, int64_t begin, int64_t end) {
  for (int64_t head = begin; head < end; ++head) pack_head(job, head);
}

// Rows of one head, and the scratch of the thread that works on them.
struct AttentionRows {
  explicit AttentionRows(const AttentionShape& shape)
      : left_stride(shape.d + kGap),
        stride(value_stride(shape)),
        left(aligned_floats(kBlockRows * left_stride)),
        scores(aligned_floats(kTileRows * kScoreStride)),
        weighted(aligned_floats(kBlockRows * stride)),
        total(aligned_floats(kBlockRows * stride)) {}

  int64_t head = 0, first = 0, count = 0;
  int64_t left_stride, stride;
  AlignedFloats left;      // [count, left_stride], scaled
  AlignedFloats scores;    // [kTileRows, kScoreStride]
  AlignedFloats weighted;  // [count, stride], the sum of weights times values so far
  AlignedFloats total;     // [count, stride], of all terms
  float maximum[kBlockRows], sum[kBlockRows];
};

HWY_INLINE void load_left(const AttentionJob& job, TokenKind kind, AttentionRows& rows) {
  const float scale = job.options.scale;
  for (int64_t i = 0; i < rows.count; ++i) {
    float* left = rows.left.get() + i * rows.left_stride;
    load_token(job, kind, rows.head, rows.first + i, left);
    for (int64_t j = 0; j < job.shape.d; ++j) left[j] *= scale;
  }
}

// What is added to the scores of a row, keys [first, first + count).
HWY_INLINE void add_biases(const AttentionJob& job, int64_t head, int64_t row, int64_t first,
                           int64_t count, float* scores) {
  const AttentionBias& bias = job.options.bias;
  if (bias.data != nullptr) {
    add_bias(bias.data + job.batch * bias.batch_stride + head * bias.head_stride +
                 row * bias.row_stride + first,
             count, scores);
  }
  const GaussianBias& gaussian = job.options.gaussian;
  if (gaussian.h == 0) return;
  const int64_t class_tokens = job.shape.tokens - gaussian.h * gaussian.w;
  if (row < class_tokens) return;
  const int64_t skipped = std::max<int64_t>(0, class_tokens - first);
  add_gaussian(job.gaussian_rows.data(), job.gaussian_columns.data(), gaussian.h, gaussian.w,
               row - class_tokens, first + skipped - class_tokens, count - skipped,
               scores + skipped);
}

// Rows [begin, begin + count) of the block meet keys [first, first + keys).
HWY_INLINE void meet_keys(const AttentionJob& job, TokenKind right, int64_t begin, int64_t count,
                          int64_t first, int64_t keys, AttentionRows& rows) {
  const auto [right_size, value_size] = sizes(job.shape);
  const int64_t d = job.shape.d;
  float* scores = rows.scores.get();
  for (int64_t column = 0; column < keys; column += kPanel) {
    const float* panel = job.right[right].get() + rows.head * right_size + (first + column) * d;
    multiply_panel(rows.left.get() + begin * rows.left_stride, rows.left_stride, count, panel,
                   kPanel, d, std::min(kPanel, keys - column), scores + column, kScoreStride,
                   false);
  }
  float* weighted = rows.weighted.get() + begin * rows.stride;
  for (int64_t r = 0; r < count; ++r) {
    float* row = scores + r * kScoreStride;
    add_biases(job, rows.head, rows.first + begin + r, first, keys, row);
    const float shrink = weigh(row, keys, rows.maximum[begin + r], rows.sum[begin + r]);
    if (shrink != 1) multiply_by(shrink, rows.stride, weighted + r * rows.stride);
  }
  const float* values = job.values.get() + rows.head * value_size + first * rows.stride;
  for (int64_t column = 0; column < rows.stride; column += kPanel) {
    multiply_panel(scores, kScoreStride, count, values + column, rows.stride, keys,
                   std::min(kPanel, rows.stride - column), weighted + column, rows.stride, true);
  }
}

HWY_INLINE void attend_rows(const AttentionJob& job, AttentionRows& rows) {
  std::fill_n(rows.total.get(), rows.count * rows.stride, 0.f);
  const int64_t tiles = (rows.count + kTileRows - 1) / kTileRows;
  const float share = job.options.mean ? 1.f / static_cast<float>(job.options.terms.size()) : 1.f;
  for (const AttentionTerm& term : job.options.terms) {
    load_left(job, term.left, rows);
    std::fill_n(rows.maximum, rows.count, -std::numeric_limits<float>::infinity());
    std::fill_n(rows.sum, rows.count, 0.f);
    std::fill_n(rows.weighted.get(), rows.count * rows.stride, 0.f);
    for (int64_t first = 0; first < job.shape.tokens; first += kKeys) {
      const int64_t keys = std::min(kKeys, job.shape.tokens - first);
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t begin = rows.count * tile / tiles;
        const int64_t count = rows.count * (tile + 1) / tiles - begin;
        meet_keys(job, term.right, begin, count, first, keys, rows);
      }
    }
    for (int64_t r = 0; r < rows.count; ++r) {
      const float factor = rows.sum[r] == 0 ? 0 : share / rows.sum[r];
      const float* from = rows.weighted.get() + r * rows.stride;
      float* to = rows.total.get() + r * rows.stride;
      for (int64_t j = 0; j < rows.stride; ++j) to[j] += factor * from[j];
    }
  }
}

void attend_tiles(const AttentionJob& job, int64_t begin, int64_t end) {
  const AttentionShape& shape = job.shape;
  const int64_t per_head = tiles_per_head(shape);
  AttentionRows rows(shape);
  for (int64_t tile = begin; tile < end;) {
    const int64_t start = tile % per_head;
    const int64_t tiles = std::min({int64_t{4}, per_head - start, end - tile});
    rows.head = tile / per_head;
    rows.first = shape.tokens * start / per_head;
    rows.count = shape.tokens * (start + tiles) / per_head - rows.first;
    attend_rows(job, rows);
    const int64_t token = (job.batch * shape.heads + rows.head) * shape.tokens + rows.first;
    for (int64_t r = 0; r < rows.count; ++r) {
      narrow(rows.total.get() + r * rows.stride, shape.d, job.type,
             element(job.out, job.type, (token + r) * shape.d));
    }
    tile += tiles;
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(sizes);
HWY_EXPORT(pack);
HWY_EXPORT(tile_count);
HWY_EXPORT(attend_tiles);

PackedSizes packed_sizes(const AttentionShape& shape) { return HWY_DYNAMIC_DISPATCH(sizes)(shape); }
void pack_heads(const AttentionJob& job, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(pack)(job, begin, end);
}
int64_t attention_tiles(const AttentionShape& shape) {
  return HWY_DYNAMIC_DISPATCH(tile_count)(shape);
}
void attend(const AttentionJob& job, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(attend_tiles)(job, begin, end);
}

}  // namespace vocabseg::kernels
#endif
