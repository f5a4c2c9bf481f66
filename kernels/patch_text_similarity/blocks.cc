#include "kernels/patch_text_similarity/blocks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/patch_text_similarity/blocks.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/common/aligned_floats.h"
#include "kernels/common/float_types-inl.h"
#include "kernels/common/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {

constexpr int64_t kWidth = (kBlockRows + kLanes - 1) / kLanes * kLanes;  // of a row of patches

int64_t tiles_per_window(const Patches& patches) { return (patches.n + kTileRows - 1) / kTileRows; }
int64_t tile_count(const Patches& patches) { return patches.windows * tiles_per_window(patches); }

HWY_INLINE float sum_of_squares(const float* row, int64_t count) {
  const hn::ScalableTag<float> d;
  auto sum0 = hn::Zero(d), sum1 = sum0;
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    const auto v0 = hn::LoadU(d, row + i), v1 = hn::LoadU(d, row + i + kLanes);
    sum0 = hn::MulAdd(v0, v0, sum0), sum1 = hn::MulAdd(v1, v1, sum1);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
  for (; i < count; ++i) sum += row[i] * row[i];
  return sum;
}

// In double where the squares of float32 would over- or underflow. A zero row stays zero, a row
// with a NaN or an infinity gets a NaN.
HWY_INLINE void normalize_row(float* row, int64_t count) {
  const float square = sum_of_squares(row, count);
  if (square > 1e-20f && square < 1e30f) {
    const hn::ScalableTag<float> d;
    const float scale = 1 / std::sqrt(square);
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      hn::StoreU(hn::Mul(hn::LoadU(d, row + i), hn::Set(d, scale)), d, row + i);
    }
    for (; i < count; ++i) row[i] *= scale;
    return;
  }
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += double{row[i]} * row[i];
  if (sum == 0) return;
  const double length = std::sqrt(sum);
  for (int64_t i = 0; i < count; ++i) row[i] = static_cast<float>(row[i] / length);
}

// The scratch of one thread.
struct SimilarityScratch {
  explicit SimilarityScratch(const SimilarityJob& job)
      : row_stride(job.patches.d + 64 / static_cast<int64_t>(sizeof(float))),
        queries(panels(job.text.n()) * kPanel),
        classes(job.classes != nullptr ? job.classes->count : 0),
        rows(aligned_floats(kBlockRows * row_stride)),
        products(aligned_floats(kBlockRows * queries)) {
    if (job.scores == nullptr || classes > 0) transposed = aligned_floats(job.text.n() * kWidth);
    if (classes > 0) best = aligned_floats(classes * kWidth);
  }

  int64_t row_stride, queries, classes;
  AlignedFloats rows;        // patches [kBlockRows, row_stride], float32, normalised
  AlignedFloats products;    // [kBlockRows, queries]
  AlignedFloats transposed;  // [text.n(), kWidth]
  AlignedFloats best;        // [classes, kWidth]
  std::vector<bool> seen;    // classes that have had a query
};

// products [count, queries] of patches [first, first + count) of a window.
HWY_INLINE void compare(const SimilarityJob& job, int64_t window, int64_t first, int64_t count,
                        SimilarityScratch& scratch) {
  const Patches& patches = job.patches;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t index = (window * patches.n + first + i) * patches.d;
    float* row = scratch.rows.get() + i * scratch.row_stride;
    widen(element(patches.data, patches.type, index), patches.type, patches.d, row);
    if (job.normalize) normalize_row(row, patches.d);
  }
  for (int64_t k = 0; k < patches.d; k += kDepth) {
    const int64_t depth = std::min(kDepth, patches.d - k);
    for (int64_t column = 0; column < job.text.n(); column += kPanel) {
      const float* panel = job.text.data() + column * patches.d + k * kPanel;
      const int64_t width = std::min(kPanel, job.text.n() - column);
      multiply_panel(scratch.rows.get() + k, scratch.row_stride, count, panel, kPanel, depth, width,
                     scratch.products.get() + column, scratch.queries, k > 0);
    }
  }
}

// best[c] = maximum over the queries of class c of transposed[q].
HWY_INLINE void maximum_of_classes(const QueryClasses& classes, int64_t queries,
                                   SimilarityScratch& scratch) {
  const hn::ScalableTag<float> d;
  float* best = scratch.best.get();
  std::fill_n(best, classes.count * kWidth, -std::numeric_limits<float>::infinity());
  scratch.seen.assign(static_cast<size_t>(classes.count), false);
  for (int64_t q = 0; q < queries; ++q) {
    const float* from = scratch.transposed.get() + q * kWidth;
    const int32_t index = classes.of_query[q];
    float* to = best + index * kWidth;
    if (!scratch.seen[index]) {
      scratch.seen[index] = true;
      std::copy_n(from, kWidth, to);
      continue;
    }
    for (int64_t i = 0; i < kWidth; i += kLanes) {
      const auto value = hn::Load(d, from + i), old = hn::Load(d, to + i);
      const auto wins = hn::Or(hn::Gt(value, old), hn::IsNaN(old));
      hn::Store(hn::IfThenElse(wins, value, old), d, to + i);
    }
  }
}

// The best of `count` rows of kWidth values, for each column.
HWY_INLINE void best_rows(const float* rows, int64_t count, int32_t* label, float* score,
                          float* margin) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> integers;
  const auto nothing = hn::Set(d, -std::numeric_limits<float>::infinity());
  const auto nan = hn::Set(d, std::numeric_limits<float>::quiet_NaN());
  for (int64_t i = 0; i < kWidth; i += kLanes) {
    auto best = nothing, second = nothing;
    auto index = hn::Set(integers, -1);
    for (int64_t row = 0; row < count; ++row) {
      const auto value = hn::Load(d, rows + row * kWidth + i);
      const auto wins = hn::Gt(value, best);
      const auto runner_up = hn::IfThenElse(hn::Gt(value, second), value, second);
      second = hn::IfThenElse(wins, best, runner_up);
      best = hn::IfThenElse(wins, value, best);
      index = hn::IfThenElse(hn::RebindMask(integers, wins),
                             hn::Set(integers, static_cast<int32_t>(row)), index);
    }
    const auto none = hn::Eq(best, nothing);
    hn::Store(index, integers, label + i);
    hn::Store(hn::IfThenElse(none, nan, best), d, score + i);
    hn::Store(hn::IfThenElse(none, nan, hn::Sub(best, second)), d, margin + i);
  }
}

// From products to results, for the patches of `compare`.
HWY_INLINE void finish(const SimilarityJob& job, int64_t window, int64_t first, int64_t count,
                       SimilarityScratch& scratch) {
  const int64_t queries = job.text.n(), n = job.patches.n;
  const int64_t classes = job.classes != nullptr ? job.classes->count : queries;
  const int64_t at = window * classes * n + first;
  if (job.scores != nullptr && job.classes == nullptr) {
    return transpose(scratch.products.get(), scratch.queries, count, queries, job.scores + at, n);
  }
  const float* rows = scratch.transposed.get();
  transpose(scratch.products.get(), scratch.queries, count, queries, scratch.transposed.get(),
            kWidth);
  if (job.classes != nullptr) {
    maximum_of_classes(*job.classes, queries, scratch);
    rows = scratch.best.get();
  }
  if (job.scores != nullptr) {
    for (int64_t c = 0; c < classes; ++c) {
      std::copy_n(rows + c * kWidth, count, job.scores + at + c * n);
    }
    return;
  }
  alignas(64) int32_t label[kWidth];
  alignas(64) float score[kWidth], margin[kWidth];
  best_rows(rows, classes, label, score, margin);
  std::copy_n(label, count, job.top.label + window * n + first);
  std::copy_n(score, count, job.top.score + window * n + first);
  std::copy_n(margin, count, job.top.margin + window * n + first);
}

void block(const SimilarityJob& job, int64_t begin, int64_t end) {
  const int64_t per_window = tiles_per_window(job.patches), n = job.patches.n;
  SimilarityScratch scratch(job);
  for (int64_t tile = begin; tile < end;) {
    const int64_t window = tile / per_window, start = tile % per_window;
    const int64_t tiles = std::min({int64_t{4}, per_window - start, end - tile});
    const int64_t first = n * start / per_window;
    const int64_t count = n * (start + tiles) / per_window - first;
    compare(job, window, first, count, scratch);
    finish(job, window, first, count, scratch);
    tile += tiles;
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(tile_count);
HWY_EXPORT(block);

int64_t similarity_tiles(const Patches& patches) {
  return HWY_DYNAMIC_DISPATCH(tile_count)(patches);
}
void similarity_block(const SimilarityJob& job, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(block)(job, begin, end);
}

}  // namespace vocabseg::kernels
#endif
