// Candidates of one row of a tile's pixels.
#if defined(VOCABSEG_LABEL_DECODING_TILE_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VOCABSEG_LABEL_DECODING_TILE_ROWS_INL_H_
#undef VOCABSEG_LABEL_DECODING_TILE_ROWS_INL_H_
#else
#define VOCABSEG_LABEL_DECODING_TILE_ROWS_INL_H_
#endif

#include <hwy/highway.h>

#include <limits>

#include "kernels/label_decoding/bounds.h"
#include "kernels/label_decoding/tile_pixels.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using DI = hn::RebindToSigned<D>;
using V = hn::Vec<D>;
using VI = hn::Vec<DI>;
constexpr int64_t kLanes = HWY_LANES(float);

// line [column patches, stride] = sum over the row patches of the weight at pixel row y * patches.
inline void combine_rows(const AxisTile& row, int y, int columns, const TileScores& scores,
                         float* HWY_RESTRICT line) {
  const D d;
  const int64_t size = columns * scores.stride;
  for (int64_t i = 0; i < size; i += kLanes) {
    V sum = hn::Mul(hn::Set(d, row.weight[y]), hn::LoadU(d, scores.patches + i));
    for (int r = 1; r < row.patches(); ++r) {
      sum = hn::MulAdd(hn::Set(d, row.weight[r * row.stride + y]),
                       hn::LoadU(d, scores.patches + r * size + i), sum);
    }
    hn::StoreU(sum, d, line + i);
  }
}

// Candidates for the labels of one row of pixels.
struct RowWinners {
  const float* line;  // [column patches, stride]
  int64_t stride;
  const int32_t* classes;
  int count;
};

// Fewer are compared at once sooner than they are looked through.
constexpr int kFewWinners = 16;

// The winners of a tile that are left in one of its rows, by the same bounds as in the tile.
inline void prune_row(const RowWinners& all, int columns, int taps, TileScratch& scratch,
                      RowWinners& left) {
  const D d;
  const DI di;
  const V lowest_float = hn::Set(d, std::numeric_limits<float>::lowest());
  V best = lowest_float;
  for (int k = 0; k < all.count; k += kLanes) {
    V lowest = hn::LoadU(d, all.line + k);
    for (int c = 1; c < columns; ++c) {
      lowest = hn::Min(lowest, hn::LoadU(d, all.line + c * all.stride + k));
    }
    const auto real = hn::FirstN(d, static_cast<size_t>(all.count - k));
    best = hn::Max(best, hn::IfThenElse(real, lowest, lowest_float));
  }
  const V bound = hn::Set(d, below(hn::GetLane(hn::MaxOfLanes(d, best)), taps));
  left.count = 0;
  for (int k = 0; k < all.count; k += kLanes) {
    V highest = hn::LoadU(d, all.line + k);
    for (int c = 1; c < columns; ++c) {
      highest = hn::Max(highest, hn::LoadU(d, all.line + c * all.stride + k));
    }
    const auto real = hn::FirstN(d, static_cast<size_t>(all.count - k));
    const auto stays = hn::And(hn::Ge(highest, bound), real);
    if (hn::AllFalse(d, stays)) continue;
    // In a register first: to memory it is slow on some CPUs.
    for (int c = 0; c < columns; ++c) {
      const V value = hn::LoadU(d, all.line + c * all.stride + k);
      hn::StoreU(hn::Compress(value, stays), d, scratch.kept.data() + c * left.stride + left.count);
    }
    const VI label = hn::LoadU(di, all.classes + k);
    hn::StoreU(hn::Compress(label, hn::RebindMask(di, stays)), di,
               scratch.kept_classes.data() + left.count);
    left.count += static_cast<int>(hn::CountTrue(d, stays));
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
