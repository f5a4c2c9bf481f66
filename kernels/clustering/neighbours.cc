#include "kernels/clustering/neighbours.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/clustering/neighbours.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <utility>

#include "kernels/clustering/compared_points.h"
#include "kernels/common/aligned_floats.h"
#include "kernels/common/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {

static_assert(kDepth == kChain, "the error bound is that of chains of kDepth products");

// Coordinates [first, first + depth) of a point, scaled and about the mean.
HWY_INLINE void centre(const ComparedPoints& all, int64_t point, int64_t first, int64_t depth,
                       float* HWY_RESTRICT to) {
  const hn::ScalableTag<float> d;
  const float* HWY_RESTRICT from = all.points[point] + first;
  const float* HWY_RESTRICT mean = all.mean.data() + first;
  const auto scale = hn::Set(d, all.scale);
  int64_t k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
    hn::StoreU(hn::MulSub(hn::LoadU(d, from + k), scale, hn::LoadU(d, mean + k)), d, to + k);
  }
  for (; k < depth; ++k) to[k] = from[k] * all.scale - mean[k];
}

// |a|^2 of points [begin, end), scaled and about the mean.
void squared_norms(const ComparedPoints& all, int64_t begin, int64_t end, float* norms) {
  const hn::ScalableTag<float> d;
  const AlignedFloats part = aligned_floats(kDepth + kLanes);
  for (int64_t point = begin; point < end; ++point) {
    double norm = 0;
    for (int64_t first = 0; first < all.d; first += kDepth) {
      const int64_t depth = std::min(kDepth, all.d - first);
      centre(all, point, first, depth, part.get());
      std::fill_n(part.get() + depth, kLanes, 0.f);
      auto sum = hn::Zero(d);
      for (int64_t k = 0; k < depth; k += kLanes) {
        const auto values = hn::Load(d, part.get() + k);
        sum = hn::MulAdd(values, values, sum);
      }
      norm += hn::GetLane(hn::SumOfLanes(d, sum));
    }
    norms[point] = static_cast<float>(norm);
  }
}

HWY_INLINE double squared_distance(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b,
                                   int64_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> half;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  const auto add = [&](int64_t k, auto sum) HWY_ATTR {
    const auto difference =
        hn::Sub(hn::PromoteTo(d, hn::LoadU(half, a + k)), hn::PromoteTo(d, hn::LoadU(half, b + k)));
    return hn::MulAdd(difference, difference, sum);
  };
  auto even = hn::Zero(d), odd = hn::Zero(d);
  int64_t k = 0;
  for (; k + 2 * step <= n; k += 2 * step) {
    even = add(k, even);
    odd = add(k + step, odd);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  for (; k < n; ++k) {
    const double difference = double{a[k]} - double{b[k]};
    sum += difference * difference;
  }
  return sum;
}

template <class D, class Mask>
HWY_INLINE uint64_t mask_bits(D d, Mask mask) {
  uint64_t bits = 0;
  hn::StoreMaskBits(d, mask, reinterpret_cast<uint8_t*>(&bits));
  return bits;
}

// Which of the points j, ..., j + 63 are near point i, from their products with it.
HWY_INLINE uint64_t near_bits(const ComparedPoints& all, int64_t i, int64_t j,
                              const float* HWY_RESTRICT products) {
  const hn::ScalableTag<float> d;
  const auto high = hn::Set(d, all.high[i] - all.half_limit);
  const auto low = hn::Set(d, all.low[i] - all.half_limit);
  uint64_t near = 0, far = 0;
  for (int64_t c = 0; c < 64; c += kLanes) {
    const auto product = hn::Load(d, products + c);
    const auto enough = hn::Add(high, hn::LoadU(d, all.high.data() + j + c));
    const auto least = hn::Add(low, hn::LoadU(d, all.low.data() + j + c));
    near |= mask_bits(d, hn::Ge(product, enough)) << c;
    far |= mask_bits(d, hn::Lt(product, least)) << c;
  }
  for (uint64_t open = ~(near | far); open; open &= open - 1) {
    const auto c = static_cast<int64_t>(hwy::Num0BitsBelowLS1Bit_Nonzero64(open));
    const double distance = squared_distance(all.points[i], all.points[j + c], all.d);
    if (distance <= all.limit) near |= uint64_t{1} << c;
  }
  return near;
}

// The products of two blocks, a chunk of coordinates at a time.
class BlockProducts {
 public:
  BlockProducts() { std::fill_n(products_.get(), kBlock * kBlock, 0.f); }

  // products [kBlock, kBlock] of the points from i and those from j on. Rows and columns beyond the
  // last point hold any finite numbers.
  const float* multiply(const ComparedPoints& all, int64_t i, int64_t j) {
    const int64_t rows = std::min(kBlock, all.size() - i), cols = std::min(kBlock, all.size() - j);
    std::fill_n(cols_.get() + cols * kStride, (kBlock - cols) * kStride, 0.f);
    for (int64_t first = 0; first < all.d; first += kDepth) {
      const int64_t depth = std::min(kDepth, all.d - first);
      for (int64_t r = 0; r < rows; ++r) {
        centre(all, i + r, first, depth, rows_.get() + r * kStride);
      }
      for (int64_t c = 0; c < cols; ++c) {
        centre(all, j + c, first, depth, cols_.get() + c * kStride);
      }
      for (int64_t c = 0; c < cols; c += kPanel) {
        const int64_t width = std::min(kPanel, kBlock - c);
        transpose(cols_.get() + c * kStride, kStride, width, depth, panel_.get(), kPanel);
        multiply_panel(rows_.get(), kStride, rows, panel_.get(), kPanel, depth, width,
                       products_.get() + c, kBlock, first > 0);
      }
    }
    return products_.get();
  }

 private:
  // No power of two, for the sake of the cache.
  static constexpr int64_t kStride = kDepth + 64 / sizeof(float);
  AlignedFloats rows_ = aligned_floats(kBlock * kStride), cols_ = aligned_floats(kBlock * kStride);
  AlignedFloats panel_ = aligned_floats(kDepth * kPanel);
  AlignedFloats products_ = aligned_floats(kBlock * kBlock);
};

// The bits (i, j) for i of the first and j of the second block of each pair.
void compare_blocks(const ComparedPoints& all, const std::pair<int64_t, int64_t>* pairs,
                    int64_t count, BitMatrix& near) {
  BlockProducts blocks;
  for (int64_t p = 0; p < count; ++p) {
    const int64_t i = pairs[p].first * kBlock, j = pairs[p].second * kBlock;
    const float* products = blocks.multiply(all, i, j);
    for (int64_t r = 0; r < std::min(kBlock, all.size() - i); ++r) {
      uint64_t* to = near.bits.data() + (i + r) * near.words + j / 64;
      for (int64_t c = 0; c < kBlock; c += 64) {
        to[c / 64] = near_bits(all, i + r, j + c, products + r * kBlock + c);
      }
    }
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(squared_norms);
HWY_EXPORT(compare_blocks);

namespace {

// Transposes 64 x 64 bits: swaps ever smaller squares across the diagonal.
void transpose_bits(uint64_t* rows) {
  uint64_t left = ~uint64_t{0};
  for (int side = 32; side; side /= 2) {
    left ^= left << side;  // the columns of the left squares
    for (int top = 0; top < 64; top += 2 * side) {
      for (int r = top; r < top + side; ++r) {
        const uint64_t change = ((rows[r] >> side) ^ rows[r + side]) & left;
        rows[r] ^= change << side;
        rows[r + side] ^= change;
      }
    }
  }
}

// Sets the bits (j, i) for the points i from `first` and j from `second` on from the bits (i, j).
void mirror(int64_t first, int64_t second, int64_t n, BitMatrix& near) {
  for (int64_t i = first; i < first + kBlock; i += 64) {
    for (int64_t j = second; j < std::min(second + kBlock, n); j += 64) {
      uint64_t square[64];
      for (int64_t r = 0; r < 64; ++r) square[r] = near.row(i + r)[j / 64];
      transpose_bits(square);
      for (int64_t r = 0; r < std::min<int64_t>(64, n - j); ++r) {
        near.bits[(j + r) * near.words + i / 64] = square[r];
      }
    }
  }
}

}  // namespace

BitMatrix neighbours(const std::vector<const float*>& points, int64_t d, float limit,
                     ThreadPool& pool) {
  BitMatrix near;
  if (points.empty()) return near;
  ComparedPoints all(points, d, limit, pool);
  std::vector<float> norms(points.size());
  pool.parallel_for(all.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(squared_norms)(all, begin, end, norms.data());
  });
  all.set_norms(norms);

  const int64_t blocks = (all.size() + kBlock - 1) / kBlock;
  near.words = blocks * kBlock / 64;
  near.bits.resize(all.size() * near.words);
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t i = 0; i < blocks; ++i) {
    for (int64_t j = i; j < blocks; ++j) pairs.emplace_back(i, j);
  }
  pool.parallel_for(static_cast<int64_t>(pairs.size()), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(compare_blocks)(all, pairs.data() + begin, end - begin, near);
    for (int64_t p = begin; p < end; ++p) {
      const auto& [i, j] = pairs[p];
      if (i < j) mirror(i * kBlock, j * kBlock, all.size(), near);
    }
  });
  return near;
}

}  // namespace vocabseg::kernels
#endif
