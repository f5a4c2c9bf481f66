// Bilinear resize of uint8 frames in the fixed-point arithmetic of OpenCV's INTER_LINEAR.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/preprocessing/bilinear.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/preprocessing/resizer.h"

#ifndef VOCABSEG_BILINEAR_TAPS
#define VOCABSEG_BILINEAR_TAPS
namespace vocabseg::kernels {
namespace {

// The columns that output columns blend, in arrays of a multiple of 16. Four bytes are read for a
// pixel; at the right edge those that end with it, so its channels lie 8 bits higher.
struct Columns {
  std::vector<int32_t> offset[2];  // bytes: of the low and of the high column
  std::vector<int32_t> shift[2];   // bits
  std::vector<int32_t> weight[2];  // in 1 / 2048
};

}  // namespace
}  // namespace vocabseg::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<int32_t, 16>;
using V = hn::Vec<D>;

// Four bytes at each offset, the first in the low bits.
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> gather_bytes(const uint8_t* row,
                                                         const int32_t* offsets) {
  const hn::RebindToUnsigned<D> d;
#if HWY_TARGET <= HWY_AVX2 && HWY_ARCH_X86
  return hn::GatherOffset(d, reinterpret_cast<const uint32_t*>(row), hn::LoadU(D(), offsets));
#else
  HWY_ALIGN uint32_t lanes[16];
  for (size_t i = 0; i < hn::Lanes(d); ++i) std::memcpy(&lanes[i], row + offsets[i], 4);
  return hn::Load(d, lanes);
#endif
}

// One channel of a pixel as 0 ... 255.
template <int kChannel, class U>
HWY_INLINE V channel(U pixel) {
  const hn::RebindToUnsigned<D> d;
  return hn::BitCast(D(), hn::And(hn::ShiftRight<8 * kChannel>(pixel), hn::Set(d, 255)));
}

}  // namespace

// out [3, pitch]: the row at the output's width, in 1 / 128, as cv2 keeps it between the passes.
void bilinear_columns(const uint8_t* row, const Columns& columns, int16_t* out) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<int16_t, D> d16;
  const auto pitch = static_cast<int64_t>(columns.offset[0].size());
  for (int64_t x = 0; x < pitch; x += static_cast<int64_t>(hn::Lanes(d))) {
    const auto pixel = [&](int tap) {
      return hn::Shr(gather_bytes(row, &columns.offset[tap][x]),
                     hn::BitCast(du, hn::LoadU(d, &columns.shift[tap][x])));
    };
    const auto low = pixel(0), high = pixel(1);
    const V low_weight = hn::LoadU(d, &columns.weight[0][x]);
    const V high_weight = hn::LoadU(d, &columns.weight[1][x]);
    const auto blend = [&](V a, V b, int64_t at) {
      const V sum = hn::Add(hn::Mul(a, low_weight), hn::Mul(b, high_weight));
      hn::StoreU(hn::DemoteTo(d16, hn::ShiftRight<4>(sum)), d16, out + at);
    };
    blend(channel<0>(low), channel<0>(high), x);
    blend(channel<1>(low), channel<1>(high), pitch + x);
    blend(channel<2>(low), channel<2>(high), 2 * pitch + x);
  }
}

// out [count]: two such rows blended, weights in 1 / 2048. Count is a multiple of 64.
void bilinear_rows(const int16_t* low, const int16_t* high, int low_weight, int high_weight,
                   int64_t count, uint8_t* out) {
  const hn::CappedTag<int16_t, 32> d;
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const auto a = hn::Set(d, static_cast<int16_t>(low_weight));
  const auto b = hn::Set(d, static_cast<int16_t>(high_weight));
  const auto two = hn::Set(d, int16_t{2});
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto sum =
        hn::Add(hn::MulHigh(hn::LoadU(d, low + i), a), hn::MulHigh(hn::LoadU(d, high + i), b));
    hn::StoreU(hn::DemoteTo(d8, hn::ShiftRight<2>(hn::Add(sum, two))), d8, out + i);
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {
namespace {

HWY_EXPORT(bilinear_columns);
HWY_EXPORT(bilinear_rows);

// Output = low * low_weight + high * high_weight, weights in 1 / 2048.
struct Tap {
  int low, high, low_weight, high_weight;
};

// Outside the image both taps fall on the border pixel. OpenCV drops the fraction there for columns
// but keeps it for rows, which rounds differently.
std::vector<Tap> make_taps(int in, int out, bool keep_border_fraction) {
  constexpr float kOne = 1 << 11;
  std::vector<Tap> taps;
  const double scale = 1.0 / (static_cast<double>(out) / in);
  for (int i = 0; i < out; ++i) {
    const auto source = static_cast<float>((i + 0.5) * scale - 0.5);
    const int low = static_cast<int>(std::floor(source));
    const bool border = low < 0 || low >= in - 1;
    const float fraction = border && !keep_border_fraction ? 0 : source - static_cast<float>(low);
    taps.push_back({std::clamp(low, 0, in - 1), std::clamp(low + 1, 0, in - 1),
                    static_cast<int>(std::lrint((1 - fraction) * kOne)),
                    static_cast<int>(std::lrint(fraction * kOne))});
  }
  return taps;
}

Columns make_columns(const Frame& frame, int out, int pitch) {
  Columns columns;
  std::vector<Tap> taps = make_taps(frame.width, out, false);
  taps.resize(pitch, taps.back());
  for (const Tap& tap : taps) {
    const int sources[] = {tap.low, tap.high}, weights[] = {tap.low_weight, tap.high_weight};
    for (int i : {0, 1}) {
      const bool last = sources[i] == frame.width - 1 && frame.width > 1;
      columns.offset[i].push_back(static_cast<int32_t>(sources[i] * frame.pixel_stride - last));
      columns.shift[i].push_back(last ? 8 : 0);
      columns.weight[i].push_back(weights[i]);
    }
  }
  return columns;
}

class Bilinear : public Resizer {
 public:
  Bilinear(const Frame& frame, int h, int w)
      : Resizer(w),
        frame_(frame),
        rows_(make_taps(frame.height, h, true)),
        columns_(make_columns(frame, w, pitch_)) {}

  void run(int begin, int end, const Sink& sink) const override {
    const size_t size = size_t{3} * pitch_;
    FrameRows source(frame_, 2);
    std::vector<uint8_t> out(size);
    // Rows at the output's width; rising output rows need no more than the last two.
    std::array<std::vector<int16_t>, 2> blended{std::vector<int16_t>(size),
                                                std::vector<int16_t>(size)};
    std::array<int, 2> held{-1, -1};
    const auto get = [&](int y) {
      const int place = y & 1;
      if (held[place] != y) {
        HWY_DYNAMIC_DISPATCH(bilinear_columns)(source.get(y), columns_, blended[place].data());
        held[place] = y;
      }
      return blended[place].data();
    };
    for (int y = begin; y < end; ++y) {
      const Tap& tap = rows_[y];
      const int16_t *low = get(tap.low), *high = get(tap.high);
      HWY_DYNAMIC_DISPATCH(bilinear_rows)
      (low, high, tap.low_weight, tap.high_weight, static_cast<int64_t>(size), out.data());
      sink(y, out.data());
    }
  }

 private:
  const Frame& frame_;
  std::vector<Tap> rows_;
  Columns columns_;
};

}  // namespace

std::unique_ptr<Resizer> bilinear_resizer(const Frame& frame, int h, int w) {
  return std::make_unique<Bilinear>(frame, h, w);
}

}  // namespace vocabseg::kernels
#endif
