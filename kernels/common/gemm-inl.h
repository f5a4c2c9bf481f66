// The inner products of matrices, for the bodies of ops that multiply blocks which they make
// themselves.
#if defined(VOCABSEG_KERNELS_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VOCABSEG_KERNELS_GEMM_INL_H_
#undef VOCABSEG_KERNELS_GEMM_INL_H_
#else
#define VOCABSEG_KERNELS_GEMM_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kLanes = HWY_LANES(float);

// A tile of sums that fills the registers: kTileRows rows of kTileVectors vectors. 32 registers on
// AVX-512 and NEON, 16 on AVX2.
#if HWY_TARGET == HWY_AVX2
constexpr int kTileRows = 6, kTileVectors = 2;
#elif HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
constexpr int kTileRows = 4, kTileVectors = 4;
#elif HWY_ARCH_ARM
constexpr int kTileRows = 7, kTileVectors = 3;
#else
constexpr int kTileRows = 14, kTileVectors = 2;
#endif

// Columns of a panel. A block of kDepth rows of it stays in the first-level cache.
constexpr int64_t kPanel = kTileVectors * kLanes;
constexpr int64_t kDepth = 256;
// Rows of `a` whose next kDepth columns stay in the second-level cache.
constexpr int64_t kBlockRows = 4 * kTileRows;

constexpr int64_t panels(int64_t n) { return (n + kPanel - 1) / kPanel; }

// f(0), f(1), ... f(kCount - 1) with constants, so that arrays which f indexes stay in registers.
template <class F, int... kIndex>
HWY_INLINE void unroll(const F& f, std::integer_sequence<int, kIndex...>) {
  (f(std::integral_constant<int, kIndex>()), ...);
}
template <int kCount, class F>
HWY_INLINE void unroll(const F& f) {
  unroll(f, std::make_integer_sequence<int, kCount>());
}

// c [kRows, kVectors * kLanes] = (add ? c : 0) + a [kRows, k] x b [k, kVectors * kLanes].
template <int kRows, int kVectors>
void multiply_tile(const float* HWY_RESTRICT a, int64_t lda, const float* HWY_RESTRICT b,
                   int64_t ldb, int64_t k, float* HWY_RESTRICT c, int64_t ldc, bool add) {
  const hn::ScalableTag<float> d;
  hn::Vec<decltype(d)> sum[kRows][kVectors], column[kVectors];
  unroll<kRows>([&](auto r) HWY_ATTR {
    unroll<kVectors>([&](auto v) HWY_ATTR { sum[r][v] = hn::Zero(d); });
  });
  for (int64_t i = 0; i < k; ++i) {
    unroll<kVectors>([&](auto v) HWY_ATTR { column[v] = hn::LoadU(d, b + i * ldb + v * kLanes); });
    unroll<kRows>([&](auto r) HWY_ATTR {
      const auto factor = hn::Set(d, a[r * lda + i]);
      unroll<kVectors>([&](auto v)
                           HWY_ATTR { sum[r][v] = hn::MulAdd(factor, column[v], sum[r][v]); });
    });
  }
  unroll<kRows>([&](auto r) HWY_ATTR {
    unroll<kVectors>([&](auto v) HWY_ATTR {
      float* to = c + r * ldc + v * kLanes;
      hn::StoreU(add ? hn::Add(hn::LoadU(d, to), sum[r][v]) : sum[r][v], d, to);
    });
  });
}

using TileFunction = void (*)(const float*, int64_t, const float*, int64_t, int64_t, float*,
                              int64_t, bool);

// [vectors - 1][rows - 1]
template <int kVectors, int... kRow>
constexpr std::array<TileFunction, kTileRows> tiles_of(std::integer_sequence<int, kRow...>) {
  return {&multiply_tile<kRow + 1, kVectors>...};
}
template <int... kVector>
constexpr std::array<std::array<TileFunction, kTileRows>, kTileVectors> all_tiles(
    std::integer_sequence<int, kVector...>) {
  return {tiles_of<kVector + 1>(std::make_integer_sequence<int, kTileRows>{})...};
}

// c [m, n] = (add ? c : 0) + a [m, k] x b [k, n], for n of at most kPanel. Reads and writes whole
// vectors: rows of b and c have room for n rounded up to kLanes. The rows are shared out evenly
// among tiles, so that no tile is nearly empty.
HWY_INLINE void multiply_panel(const float* a, int64_t lda, int64_t m, const float* b, int64_t ldb,
                               int64_t k, int64_t n, float* c, int64_t ldc, bool add) {
  static constexpr auto kTiles = all_tiles(std::make_integer_sequence<int, kTileVectors>{});
  const auto& tiles = kTiles[(n - 1) / kLanes];
  const int64_t count = (m + kTileRows - 1) / kTileRows;
  for (int64_t tile = 0; tile < count; ++tile) {
    const int64_t first = m * tile / count, rows = m * (tile + 1) / count - first;
    tiles[rows - 1](a + first * lda, lda, b, ldb, k, c + first * ldc, ldc, add);
  }
}

// to [cols, rows] = from [rows, cols] transposed.
HWY_INLINE void transpose(const float* from, int64_t from_stride, int64_t rows, int64_t cols,
                          float* to, int64_t to_stride) {
  int64_t whole_rows = 0, whole_cols = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d;
  const hn::RepartitionToWide<decltype(d)> pairs;
  whole_rows = rows - rows % 4, whole_cols = cols - cols % 4;
  for (int64_t r = 0; r < whole_rows; r += 4) {
    for (int64_t c = 0; c < whole_cols; c += 4) {
      const float* source = from + r * from_stride + c;
      float* target = to + c * to_stride + r;
      const auto r0 = hn::LoadU(d, source), r1 = hn::LoadU(d, source + from_stride);
      const auto r2 = hn::LoadU(d, source + 2 * from_stride);
      const auto r3 = hn::LoadU(d, source + 3 * from_stride);
      const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, r0, r1));
      const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, r2, r3));
      const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, r0, r1));
      const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, r2, r3));
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23)), d, target);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23)), d, target + to_stride);
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23)), d,
                 target + 2 * to_stride);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23)), d,
                 target + 3 * to_stride);
    }
  }
#endif
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = r < whole_rows ? whole_cols : 0; c < cols; ++c) {
      to[c * to_stride + r] = from[r * from_stride + c];
    }
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // per target
