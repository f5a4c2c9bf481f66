#include "kernels/preprocessing/bicubic_passes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/preprocessing/bicubic_passes.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kBits = 22;
constexpr int32_t kHalf = 1 << (kBits - 1);
constexpr int kRows = kCubicRows;

using D = hn::CappedTag<int32_t, kRows>;
using V = hn::Vec<D>;
using D8 = hn::Rebind<uint8_t, D>;

HWY_INLINE V add_weighted(V sum, const uint8_t* bytes, V weight) {
  return hn::Add(sum, hn::Mul(hn::PromoteTo(D(), hn::LoadU(D8(), bytes)), weight));
}

HWY_INLINE void store_rounded(V sum, uint8_t* out) {
  hn::StoreU(hn::DemoteTo(D8(), hn::ShiftRight<kBits>(sum)), D8(), out);
}

// out[column][row] = rows[row][column], for 16 columns.
HWY_INLINE void transpose_block(const uint8_t* const* rows, int64_t column, uint8_t* out) {
#if HWY_TARGET == HWY_SCALAR
  for (int c = 0; c < 16; ++c) {
    for (int r = 0; r < kRows; ++r) out[c * kRows + r] = rows[r][column + c];
  }
#else
  const hn::Full128<uint8_t> d;
  hn::Vec<decltype(d)> a[kRows], b[kRows];
  for (int r = 0; r < kRows; ++r) a[r] = hn::LoadU(d, rows[r] + column);
  // Each round interleaves rows r and r + 8; after four, place c holds column c.
  const auto round = [&](const auto* from, auto* to) {
    for (int r = 0; r < kRows / 2; ++r) {
      to[2 * r] = hn::InterleaveLower(d, from[r], from[r + 8]);
      to[2 * r + 1] = hn::InterleaveUpper(d, from[r], from[r + 8]);
    }
  };
  round(a, b), round(b, a), round(a, b), round(b, a);
  for (int c = 0; c < 16; ++c) hn::StoreU(a[c], d, out + c * kRows);
#endif
}

}  // namespace

void cubic_height(const uint8_t* const* rows, const int32_t* weights, int count, int64_t length,
                  uint8_t* out) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + 2 * lanes <= length; i += 2 * lanes) {
    V low = hn::Set(d, kHalf), high = low;
    for (int k = 0; k < count; ++k) {
      const V weight = hn::Set(d, weights[k]);
      low = add_weighted(low, rows[k] + i, weight);
      high = add_weighted(high, rows[k] + i + lanes, weight);
    }
    store_rounded(low, out + i);
    store_rounded(high, out + i + lanes);
  }
  for (; i < length; ++i) {
    int32_t sum = kHalf;
    for (int k = 0; k < count; ++k) sum += weights[k] * rows[k][i];
    out[i] = static_cast<uint8_t>(HWY_MIN(HWY_MAX(sum >> kBits, 0), 255));
  }
}

void cubic_width(const uint8_t* const* rows, int width, int stride,
                 const std::vector<CubicFilter>& filters, int pitch, uint8_t* scratch,
                 uint8_t* const* out) {
  const D d;
  // A lane per row: the same weights serve all lanes.
  uint8_t* columns = scratch;                                     // [width * stride, 16]
  uint8_t* filtered = scratch + int64_t{kRows} * width * stride;  // [3, pitch, 16]
  const int64_t bytes = int64_t{width - 1} * stride + 3;  // the row's last pixel may be its end
  int64_t column = 0;
  for (; column + 16 <= bytes; column += 16) {
    transpose_block(rows, column, columns + column * kRows);
  }
  for (; column < bytes; ++column) {
    for (int r = 0; r < kRows; ++r) columns[column * kRows + r] = rows[r][column];
  }
  for (size_t i = 0; i < filters.size(); ++i) {
    const CubicFilter& filter = filters[i];
    for (int lane = 0; lane < kRows; lane += static_cast<int>(hn::Lanes(d))) {
      const uint8_t* pixel = columns + int64_t{filter.first} * stride * kRows + lane;
      V red = hn::Set(d, kHalf), green = red, blue = red;
      for (const int32_t weight : filter.weight) {
        const V w = hn::Set(d, weight);
        red = add_weighted(red, pixel, w);
        green = add_weighted(green, pixel + kRows, w);
        blue = add_weighted(blue, pixel + 2 * kRows, w);
        pixel += int64_t{stride} * kRows;
      }
      uint8_t* to = filtered + static_cast<int64_t>(i) * kRows + lane;
      store_rounded(red, to);
      store_rounded(green, to + int64_t{pitch} * kRows);
      store_rounded(blue, to + int64_t{2} * pitch * kRows);
    }
  }
  // Back to rows: the same transpose, of 16 "rows" of 16 lanes.
  for (int64_t x = 0; x < int64_t{3} * pitch; x += 16) {
    const uint8_t* lines[16];
    uint8_t block[16 * kRows];
    for (int c = 0; c < 16; ++c) lines[c] = filtered + (x + c) * kRows;
    transpose_block(lines, 0, block);
    for (int r = 0; r < kRows; ++r) {
      hwy::CopyBytes<16>(block + r * 16, out[r] + x);
    }
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(cubic_height);
HWY_EXPORT(cubic_width);

void cubic_height(const uint8_t* const* rows, const int32_t* weights, int count, int64_t length,
                  uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(cubic_height)(rows, weights, count, length, out);
}

void cubic_width(const uint8_t* const* rows, int width, int stride,
                 const std::vector<CubicFilter>& filters, int pitch, uint8_t* scratch,
                 uint8_t* const* out) {
  HWY_DYNAMIC_DISPATCH(cubic_width)(rows, width, stride, filters, pitch, scratch, out);
}

}  // namespace vocabseg::kernels
#endif
