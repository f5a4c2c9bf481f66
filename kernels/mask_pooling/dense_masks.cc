#include "kernels/mask_pooling/dense_masks.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/mask_pooling/dense_masks.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/mask_pooling/pixel_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// ramps += counts and counts += row: after n rows, row i is n - 1 - i times in ramps.
template <class Row, class T>
void add_row(const Row& row, int width, T* HWY_RESTRICT counts, T* HWY_RESTRICT ramps) {
  const typename Row::Tag d;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(typename Row::Tag()));
  const auto add = [&](int x, auto pixels) HWY_ATTR {
    const auto count = hn::LoadU(d, counts + x);
    hn::StoreU(hn::Add(hn::LoadU(d, ramps + x), count), d, ramps + x);
    hn::StoreU(hn::Add(count, pixels), d, counts + x);
  };
  int x = 0;
  for (; x + kLanes <= width; x += kLanes) add(x, row.full(x));
  if (x < width) add(x, row.tail(x, width - x));
}

Floats load_floats(const float* from) { return hn::LoadU(Float(), from); }
Floats load_floats(const uint8_t* from) {
  const hn::Rebind<int32_t, Float> whole;
  return hn::ConvertTo(Float(),
                       hn::PromoteTo(whole, hn::LoadU(hn::Rebind<uint8_t, Float>(), from)));
}

// The sums of four vectors.
void store_sums(Floats count, Floats run, Floats line, Floats both, Moments* moments) {
#if HWY_TARGET == HWY_SCALAR
  *moments = {hn::GetLane(count), hn::GetLane(run), hn::GetLane(line), hn::GetLane(both)};
#else
  const Float d;
  const hn::Repartition<double, Float> pairs;
  const auto fold = [&](Floats a, Floats b) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  };
  const auto low = hn::BitCast(pairs, fold(count, run)),
             high = hn::BitCast(pairs, fold(line, both));
  const auto sums = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, low, high)),
                            hn::BitCast(d, hn::InterleaveUpper(pairs, low, high)));
  // Each block of four lanes has the four sums of its lanes.
  HWY_ALIGN float blocks[kFloatLanes];
  hn::Store(sums, d, blocks);
  const hn::FixedTag<float, 4> four;
  auto total = hn::Load(four, blocks);
  for (int i = 4; i < kFloatLanes; i += 4) total = hn::Add(total, hn::Load(four, blocks + i));
  hn::StoreU(total, four, &moments->count);
#endif
}

// Factors of pixel j of a segment of n pixels, from kMaxLength - n + j on: 1 and n - 1 - j, then 0.
struct Factors {
  static constexpr int kLength = Segments::kMaxLength + 2 * kFloatLanes;
  float one[kLength] = {}, ramp[kLength] = {};

  Factors() {
    for (int i = 0; i < Segments::kMaxLength; ++i) {
      one[i] = 1, ramp[i] = static_cast<float>(Segments::kMaxLength - 1 - i);
    }
  }
};

template <class T>
void block_moments(const Segment& segment, const Factors& factors, const T* counts, const T* ramps,
                   Moments* moments) {
  const Float d;
  Floats count = hn::Zero(d), run = count, line = count, both = count;
  const int n = segment.length();
  for (int j = 0; j < n; j += kFloatLanes) {
    const int factor = Segments::kMaxLength - n + j;
    const auto one = hn::LoadU(d, factors.one + factor), ramp = hn::LoadU(d, factors.ramp + factor);
    const auto counted = load_floats(counts + segment.begin + j);
    const auto ramped = load_floats(ramps + segment.begin + j);
    count = hn::MulAdd(counted, one, count), run = hn::MulAdd(counted, ramp, run);
    line = hn::MulAdd(ramped, one, line), both = hn::MulAdd(ramped, ramp, both);
  }
  store_sums(count, run, line, both, moments);
}

// The pixels [begin, end) outside which counts are zero, rounded to vectors.
template <class D, class T>
std::pair<int, int> touched(D d, const T* counts, int width) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  const auto empty = [&](int x) HWY_ATTR {
    return hn::AllTrue(d, hn::Eq(hn::LoadU(d, counts + x), hn::Zero(d)));
  };
  int begin = 0, end = (width + kLanes - 1) / kLanes * kLanes;
  while (begin < end && empty(begin)) begin += kLanes;
  while (begin < end && empty(end - kLanes)) end -= kLanes;
  return {begin, std::min(end, width)};
}

// Sums of a band's rows to weights of patches; returns the summed count.
template <class D, class T>
double add_band(D d, int band, const T* counts, const T* ramps, const Segments& cols,
                const Factors& factors, DenseScratch& scratch, float* sums) {
  const auto [begin, end] = touched(d, counts, cols.pixels);
  if (begin >= end) return 0;
  const int first = cols.of_pixel[begin], last = cols.of_pixel[end - 1];
  for (int s = first; s <= last; ++s) {
    block_moments(cols.segment[s], factors, counts, ramps, &scratch.moments[s]);
  }
  return scratch.band.add(band, scratch.moments.data(), first, last, sums);
}

// `row_at(y)` is row y of the mask.
template <class T, class RowAt>
double push_rows(const RowAt& row_at, const Segments& rows, const Segments& cols,
                 std::vector<T>& counts, std::vector<T>& ramps, DenseScratch& scratch,
                 float* sums) {
  using Tag = typename decltype(row_at(0))::Tag;
  const Factors factors;
  double total = 0;
  for (int band = 0; band < rows.size(); ++band) {
    std::fill_n(counts.data(), cols.pixels, T{0}), std::fill_n(ramps.data(), cols.pixels, T{0});
    for (int y = rows.segment[band].begin; y < rows.segment[band].end; ++y) {
      add_row(row_at(y), cols.pixels, counts.data(), ramps.data());
    }
    total += add_band(Tag(), band, counts.data(), ramps.data(), cols, factors, scratch, sums);
  }
  return total;
}

template <class Row>
Pushed push_ones(const uint8_t* pixels, int64_t stride, const Segments& rows, const Segments& cols,
                 DenseScratch& scratch, float* sums) {
  const auto row_at = [&](int y) { return Row{pixels + y * stride}; };
  const double total = push_rows(row_at, rows, cols, scratch.counts, scratch.ramps, scratch, sums);
  return {total, static_cast<int64_t>(total)};
}

}  // namespace

bool positive(const float* weights, int64_t size) {
  // As integers, the weights from 0 on lie under infinity, and all others above; -0 becomes 0.
  const Float d;
  const hn::RebindToUnsigned<Float> bits;
  constexpr uint32_t kInfinity = 0x7F800000;
  auto largest = hn::Zero(bits);
  const auto read = [&](Floats values) HWY_ATTR {
    largest = hn::Max(largest, hn::BitCast(bits, hn::Add(values, hn::Zero(d))));
  };
  int64_t i = 0;
  for (; i + kFloatLanes <= size; i += kFloatLanes) read(hn::LoadU(d, weights + i));
  if (i < size) read(load_first(d, weights + i, static_cast<int>(size - i)));
  return hn::AllTrue(bits, hn::Lt(largest, hn::Set(bits, kInfinity)));
}

Pushed push_one(const DenseMask& mask, const Segments& rows, const Segments& cols,
                DenseScratch& scratch, float* sums) {
  const int64_t width = cols.pixels, bytes = (width + 7) / 8;
  if (mask.weights) {
    int64_t area = 0;
    bool valid = true;
    const auto row_at = [&](int y) {
      valid = valid && positive(mask.weights + y * width, width);
      return WeightRow{mask.weights + y * width, mask.pixels ? mask.pixels + y * width : nullptr,
                       &area};
    };
    const double total =
        push_rows(row_at, rows, cols, scratch.weights, scratch.weight_ramps, scratch, sums);
    return {total, area, valid};
  }
  if (mask.packed) return push_ones<BitRow>(mask.pixels, bytes, rows, cols, scratch, sums);
  return push_ones<ByteRow>(mask.pixels, width, rows, cols, scratch, sums);
}

void expand_bits(const uint8_t* bits, int64_t height, int width, uint8_t* pixels) {
  for (int64_t y = 0; y < height; ++y, bits += (width + 7) / 8, pixels += width) {
    int x = 0;
    for (; x + kByteLanes <= width; x += kByteLanes)
      hn::StoreU(BitRow{bits}.full(x), Byte(), pixels + x);
    for (; x < width; ++x) pixels[x] = bits[x / 8] >> (7 - x % 8) & 1;
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(push_one);
HWY_EXPORT(expand_bits);
HWY_EXPORT(positive);

DenseScratch::DenseScratch(const Segments& rows, const Segments& cols)
    : band(rows, cols),
      moments(cols.size()),
      counts(cols.pixels + kMaxVectorBytes),
      ramps(counts.size()),
      weights(counts.size()),
      weight_ramps(counts.size()) {}

Pushed push_dense(const DenseMask& mask, const Segments& rows, const Segments& cols,
                  DenseScratch& scratch, float* sums) {
  std::fill_n(sums, int64_t{rows.patches} * cols.patches, 0.f);
  return HWY_DYNAMIC_DISPATCH(push_one)(mask, rows, cols, scratch, sums);
}

void expand(const uint8_t* bits, int height, int width, uint8_t* pixels) {
  HWY_DYNAMIC_DISPATCH(expand_bits)(bits, height, width, pixels);
}

bool are_weights(const float* weights, int64_t size) {
  return HWY_DYNAMIC_DISPATCH(positive)(weights, size);
}

}  // namespace vocabseg::kernels
#endif
