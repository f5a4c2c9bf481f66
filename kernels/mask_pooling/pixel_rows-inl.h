// Rows of masks as vectors.
#if defined(VOCABSEG_PIXEL_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VOCABSEG_PIXEL_ROWS_INL_H_
#undef VOCABSEG_PIXEL_ROWS_INL_H_
#else
#define VOCABSEG_PIXEL_ROWS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#include "kernels/mask_pooling/dense_masks.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Rows of masks seldom begin at a cache line; 64-byte loads that straddle two are slower.
using Byte = hn::CappedTag<uint8_t, 32>;
using Float = hn::ScalableTag<float>;
using Bytes = hn::Vec<Byte>;
using Floats = hn::Vec<Float>;

constexpr int kByteLanes = static_cast<int>(hn::MaxLanes(Byte()));
constexpr int kFloatLanes = static_cast<int>(hn::MaxLanes(Float()));
static_assert(kByteLanes <= kMaxVectorBytes);

// The first n elements, then zeros; reads no more than these.
template <class D, class T>
hn::Vec<D> load_first(D d, const T* from, int n) {
  HWY_ALIGN T buffer[hn::MaxLanes(D())] = {};
  std::memcpy(buffer, from, sizeof(T) * static_cast<size_t>(n));
  return hn::Load(d, buffer);
}

// A row of bytes as vectors of 0 and 1: `full` reads a vector of pixels from x on, `tail` the n
// pixels that are left.
struct ByteRow {
  using Tag = Byte;
  const uint8_t* row;

  Bytes full(int x) const { return as_ones(hn::LoadU(Byte(), row + x)); }
  Bytes tail(int x, int n) const { return as_ones(load_first(Byte(), row + x, n)); }

  static Bytes as_ones(Bytes pixels) { return hn::Min(pixels, hn::Set(Byte(), 1)); }
};

// The same for a row of bits.
struct BitRow {
  using Tag = Byte;
  const uint8_t* row;

#if HWY_TARGET == HWY_SCALAR
  Bytes full(int x) const {
    return hn::Set(Byte(), static_cast<uint8_t>(row[x / 8] >> (7 - x % 8) & 1));
  }
  Bytes tail(int x, int) const { return full(x); }
#else
  Bytes full(int x) const { return expand(x, kByteLanes / 8); }
  Bytes tail(int x, int n) const {
    const auto inside = hn::FirstN(Byte(), static_cast<size_t>(n));
    return hn::IfThenElseZero(inside, expand(x, (n + 7) / 8));
  }

  Bytes expand(int x, int bytes) const {
    HWY_ALIGN static constexpr uint8_t kBit[8] = {128, 64, 32, 16, 8, 4, 2, 1};
    uint64_t bits = 0, pattern = 0;
    std::memcpy(&bits, row + x / 8, static_cast<size_t>(bytes));
    std::memcpy(&pattern, kBit, 8);
    const hn::Repartition<uint64_t, Byte> words;
    const auto spread = hn::BitCast(Byte(), hn::Set(words, bits));
    // Lane i takes byte i / 8, which its block holds since every block holds all of them.
    const auto index = hn::ShiftRight<3>(hn::Iota(Byte(), 0));
    const auto chosen = hn::TableLookupBytes(spread, index);
    return ByteRow::as_ones(hn::And(chosen, hn::BitCast(Byte(), hn::Set(words, pattern))));
  }
#endif
};

// A row of weights, zero where `mask` (if any) is; counts the pixels of the mask.
struct WeightRow {
  using Tag = Float;
  const float* weights;
  const uint8_t* mask;
  int64_t* area;

  Floats full(int x) const { return masked(x, hn::LoadU(Float(), weights + x), kFloatLanes); }
  Floats tail(int x, int n) const { return masked(x, load_first(Float(), weights + x, n), n); }

  Floats masked(int x, Floats row, int n) const {
    const Float d;
    auto inside = hn::Gt(row, hn::Zero(d));
    if (mask) {
      const hn::Rebind<uint8_t, Float> bytes;
      const auto pixels =
          n == kFloatLanes ? hn::LoadU(bytes, mask + x) : load_first(bytes, mask + x, n);
      const hn::Rebind<int32_t, Float> whole;
      inside = hn::RebindMask(d, hn::Ne(hn::PromoteTo(whole, pixels), hn::Zero(whole)));
    }
    *area += static_cast<int64_t>(hn::CountTrue(d, inside));
    return hn::IfThenElseZero(inside, row);
  }
};

}  // namespace
}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
