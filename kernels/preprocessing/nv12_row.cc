// NV12 to RGB in OpenCV's fixed-point arithmetic.
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/preprocessing/nv12_row.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/preprocessing/frame_rows.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<int32_t, 16>;
using V = hn::Vec<D>;

// BT.601, limited range, in units of 2^-20.
constexpr int kShift = 20;
constexpr int32_t kLuma = 1220542, kRedV = 1673527, kGreenV = -852492, kGreenU = -409993,
                  kBlueU = 2116026;

// What the chroma of a pixel adds to its channels.
struct Chroma {
  V red, green, blue;
};

HWY_INLINE Chroma chroma_of(V u, V v) {
  const D d;
  u = hn::Sub(u, hn::Set(d, 128));
  v = hn::Sub(v, hn::Set(d, 128));
  const V half = hn::Set(d, 1 << (kShift - 1));
  return {hn::Add(half, hn::Mul(v, hn::Set(d, kRedV))),
          hn::Add(half, hn::Add(hn::Mul(v, hn::Set(d, kGreenV)), hn::Mul(u, hn::Set(d, kGreenU)))),
          hn::Add(half, hn::Mul(u, hn::Set(d, kBlueU)))};
}

HWY_INLINE V channel(V luma, V chroma) {
  const D d;
  const V value = hn::ShiftRight<kShift>(hn::Add(luma, chroma));
  return hn::Min(hn::Max(value, hn::Zero(d)), hn::Set(d, 255));
}

// Red, green and blue in the low three bytes.
HWY_INLINE V pixel(V y, const Chroma& chroma) {
  const D d;
  const V luma = hn::Mul(hn::Max(hn::Sub(y, hn::Set(d, 16)), hn::Zero(d)), hn::Set(d, kLuma));
  return hn::Or(channel(luma, chroma.red), hn::Or(hn::ShiftLeft<8>(channel(luma, chroma.green)),
                                                  hn::ShiftLeft<16>(channel(luma, chroma.blue))));
}

// As many pairs of pixels as a vector has lanes; each pair has two bytes of luma and two of chroma.
HWY_INLINE void convert_pairs(const uint8_t* luma, const uint8_t* chroma, int32_t* out) {
  const D d;
  const hn::Rebind<uint16_t, D> pairs;
  const auto read = [&](const uint8_t* bytes) {
    uint16_t lanes[16];
    std::memcpy(lanes, bytes, 2 * hn::Lanes(d));
    return hn::PromoteTo(d, hn::LoadU(pairs, lanes));
  };
  const V low = hn::Set(d, 255), y = read(luma), uv = read(chroma);
  const Chroma added = chroma_of(hn::And(uv, low), hn::ShiftRight<8>(uv));
  const V even = pixel(hn::And(y, low), added), odd = pixel(hn::ShiftRight<8>(y), added);
  hn::StoreInterleaved2(even, odd, d, out);
}

}  // namespace

void nv12_row(const uint8_t* luma, const uint8_t* chroma, int width, uint8_t* out) {
  const int step = 2 * static_cast<int>(hn::Lanes(D()));
  int32_t pixels[32];
  for (int x = 0; x < width; x += step) {
    const int count = HWY_MIN(step, width - x);
    if (count == step) {
      convert_pairs(luma + x, chroma + x, pixels);
    } else {
      uint8_t tail[2][32] = {};
      std::memcpy(tail[0], luma + x, count);
      std::memcpy(tail[1], chroma + x, count);
      convert_pairs(tail[0], tail[1], pixels);
    }
    std::memcpy(out + int64_t{4} * x, pixels, size_t{4} * count);
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(nv12_row);

void nv12_row(const uint8_t* luma, const uint8_t* chroma, int width, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(nv12_row)(luma, chroma, width, out);
}

}  // namespace vocabseg::kernels
#endif
