#include "kernels/common/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/common/gemm.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/common/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {

int64_t packed_size(int64_t k, int64_t n) { return panels(n) * kPanel * k; }
int64_t panel_count(int64_t n) { return panels(n); }
int64_t row_tiles(int64_t m) { return (m + kTileRows - 1) / kTileRows; }

// Panels [begin, end) of b [k, n], or of the transpose of b [n, k]; missing columns are zero.
void pack_panels(const float* b, int64_t ldb, int64_t k, int64_t n, bool transposed, int64_t begin,
                 int64_t end, float* to) {
  for (int64_t p = begin; p < end; ++p) {
    float* panel = to + p * k * kPanel;
    const int64_t first = p * kPanel, width = std::min(kPanel, n - first);
    if (width < kPanel) std::fill_n(panel, k * kPanel, 0.f);
    if (transposed) {
      transpose(b + first * ldb, ldb, width, k, panel, kPanel);
    } else {
      for (int64_t i = 0; i < k; ++i) std::copy_n(b + i * ldb + first, width, panel + i * kPanel);
    }
  }
}

// One block of c [m, n] (+)= a [m, k] x kDepth or fewer rows of b, m at most kBlockRows.
void multiply_block(const float* a, int64_t lda, int64_t m, const PackedMatrix& b, int64_t first,
                    int64_t k, float* c, int64_t ldc, float* edge) {
  for (int64_t column = 0; column < b.n(); column += kPanel) {
    const float* panel = b.data() + column * b.k() + first * kPanel;
    const int64_t width = std::min(kPanel, b.n() - column);
    float* to = c + column;
    if (width % kLanes == 0) {
      multiply_panel(a, lda, m, panel, kPanel, k, width, to, ldc, first > 0);
      continue;
    }
    multiply_panel(a, lda, m, panel, kPanel, k, width, edge, kPanel, false);
    for (int64_t r = 0; r < m; ++r) {
      for (int64_t j = 0; j < width; ++j) {
        float& sum = to[r * ldc + j];
        sum = first > 0 ? sum + edge[r * kPanel + j] : edge[r * kPanel + j];
      }
    }
  }
}

// Rows are copied to where their distance is no power of two, for the sake of the cache.
void gemm_rows(const float* a, int64_t lda, int64_t m, const PackedMatrix& b, float* c,
               int64_t ldc) {
  constexpr int64_t kStride = kDepth + 64 / sizeof(float);
  const AlignedFloats block = aligned_floats(kBlockRows * kStride);
  const AlignedFloats edge = aligned_floats(kBlockRows * kPanel);
  for (int64_t first = 0; first < b.k(); first += kDepth) {
    const int64_t depth = std::min(kDepth, b.k() - first);
    for (int64_t row = 0; row < m; row += kBlockRows) {
      const int64_t rows = std::min(kBlockRows, m - row);
      for (int64_t r = 0; r < rows; ++r) {
        std::copy_n(a + (row + r) * lda + first, depth, block.get() + r * kStride);
      }
      multiply_block(block.get(), kStride, rows, b, first, depth, c + row * ldc, ldc, edge.get());
    }
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(packed_size);
HWY_EXPORT(panel_count);
HWY_EXPORT(row_tiles);
HWY_EXPORT(pack_panels);
HWY_EXPORT(gemm_rows);

namespace {

void fill_panels(const float* b, int64_t ldb, int64_t k, int64_t n, bool transposed, float* to,
                 ThreadPool& pool) {
  pool.parallel_for(HWY_DYNAMIC_DISPATCH(panel_count)(n), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(pack_panels)(b, ldb, k, n, transposed, begin, end, to);
  });
}

}  // namespace

PackedMatrix::PackedMatrix(int64_t k, int64_t n)
    : k_(k), n_(n), panels_(aligned_floats(HWY_DYNAMIC_DISPATCH(packed_size)(k, n))) {}

PackedMatrix PackedMatrix::pack(const float* b, int64_t ldb, int64_t k, int64_t n,
                                ThreadPool& pool) {
  PackedMatrix packed(k, n);
  fill_panels(b, ldb, k, n, false, packed.panels_.get(), pool);
  return packed;
}

PackedMatrix PackedMatrix::pack_transposed(const float* b, int64_t ldb, int64_t k, int64_t n,
                                           ThreadPool& pool) {
  PackedMatrix packed(k, n);
  fill_panels(b, ldb, k, n, true, packed.panels_.get(), pool);
  return packed;
}

void gemm(const float* a, int64_t lda, int64_t m, const PackedMatrix& b, float* c, int64_t ldc,
          ThreadPool& pool) {
  const int64_t tiles = HWY_DYNAMIC_DISPATCH(row_tiles)(m);
  if (b.k() == 0) {
    for (int64_t r = 0; r < m; ++r) std::fill_n(c + r * ldc, b.n(), 0.f);
    return;
  }
  // Threads take whole tiles of rows.
  pool.parallel_for(tiles, [&](int64_t begin, int64_t end) {
    const int64_t first = m * begin / tiles, rows = m * end / tiles - first;
    HWY_DYNAMIC_DISPATCH(gemm_rows)(a + first * lda, lda, rows, b, c + first * ldc, ldc);
  });
}

}  // namespace vocabseg::kernels
#endif
