// Smallest and largest patch scores of many tiles at once.
#if defined(VOCABSEG_LABEL_DECODING_TILE_BOUNDS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VOCABSEG_LABEL_DECODING_TILE_BOUNDS_INL_H_
#undef VOCABSEG_LABEL_DECODING_TILE_BOUNDS_INL_H_
#else
#define VOCABSEG_LABEL_DECODING_TILE_BOUNDS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <vector>

#include "kernels/label_decoding/axis_tiles.h"
#include "kernels/label_decoding/options.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using DI = hn::RebindToSigned<D>;
constexpr size_t kLanes = HWY_LANES(float);

struct Minimum {
  template <class V>
  V operator()(V a, V b) const {
    return hn::Min(a, b);
  }
};
struct Maximum {
  template <class V>
  V operator()(V a, V b) const {
    return hn::Max(a, b);
  }
};

// Smallest or largest score of a query over the patches of each of several tiles: first over the
// row tile's patches, for every column, then over the column tiles' patches, for all tiles at once.
class TileBounds {
 public:
  // Queries whose columns lie side by side in a buffer, so that they are stored when they are read.
  static constexpr int kBatch = 8;

  TileBounds(const PatchScores& scores, const AxisTile& row, const AxisTile* cols, int tiles)
      : scores_(scores), stride_(hwy::RoundUpTo(static_cast<size_t>(tiles), kLanes)) {
    for (const int patch : row.index) row_offset_.push_back(scores.row_offset(patch));
    find_strips(cols, tiles);
    find_taps(cols, tiles);
    columns_.resize(kBatch * pitch_);
  }

  size_t stride() const { return stride_; }

  // out [count, stride]; what follows the tiles of a row has no meaning. At most kBatch queries.
  template <class Op>
  void run(const int32_t* queries, int count, float* HWY_RESTRICT out) {
    for (int i = 0; i < count; ++i) reduce_rows<Op>(queries[i], &columns_[i * pitch_]);
    for (int i = 0; i < count; ++i) reduce_columns<Op>(&columns_[i * pitch_], out + i * stride_);
  }

 private:
  // Columns of one window.
  struct Strip {
    int64_t offset;  // in the scores, from a patch row's begin
    size_t to, length;
  };
  // One patch of each of a vector of tiles.
  struct Tap {
    int32_t first;               // patch of the first tile, if those of the others follow
    std::vector<int32_t> index;  // otherwise all of them
  };

  void find_strips(const AxisTile* cols, int tiles) {
    int begin = cols[0].index.front(), end = 0;
    for (int i = 0; i < tiles; ++i) {
      begin = std::min(begin, cols[i].index.front());
      end = std::max(end, cols[i].index.back() + 1);
    }
    first_column_ = begin;
    for (int col = begin; col < end;) {
      const int next = std::min(end, (col / scores_.cols.grid + 1) * scores_.cols.grid);
      strips_.push_back({scores_.col_offset(col), static_cast<size_t>(col - begin),
                         static_cast<size_t>(next - col)});
      col = next;
    }
    pitch_ = hwy::RoundUpTo(static_cast<size_t>(end - begin), kLanes) + 2 * kLanes;
  }

  void find_taps(const AxisTile* cols, int tiles) {
    for (int begin = 0; begin < tiles; begin += static_cast<int>(kLanes)) {
      const int end = std::min(tiles, begin + static_cast<int>(kLanes));
      int most = 0;
      for (int i = begin; i < end; ++i) most = std::max(most, cols[i].patches());
      taps_.emplace_back();
      for (int t = 0; t < most; ++t) {
        Tap tap;
        for (int i = begin; i < end; ++i) {
          tap.index.push_back(cols[i].index[std::min(t, cols[i].patches() - 1)] - first_column_);
        }
        while (tap.index.size() < kLanes) tap.index.push_back(tap.index.back() + 1);
        tap.first = tap.index[0];
        bool follow = true;
        for (size_t i = 1; i < kLanes; ++i) follow &= tap.index[i] == tap.index[i - 1] + 1;
        if (follow) tap.index.clear();
        taps_.back().push_back(std::move(tap));
      }
    }
  }

  template <class Op>
  void reduce_rows(int32_t query, float* HWY_RESTRICT to) const {
    const int64_t plane = query * scores_.plane();
    for (const Strip& strip : strips_) {
      const float* from = scores_.data + plane + strip.offset;
      // Whole vectors may read on into what follows the strip, but not over the array's end.
      const int64_t last = plane + strip.offset + row_offset_.back() +
                           static_cast<int64_t>(hwy::RoundUpTo(strip.length, kLanes));
      if (last <= scores_.size()) {
        reduce_strip<Op>(D(), from, strip.length, to + strip.to);
      } else {
        reduce_strip<Op>(hn::CappedTag<float, 1>(), from, strip.length, to + strip.to);
      }
    }
  }

  template <class Op, class Tag>
  void reduce_strip(Tag d, const float* HWY_RESTRICT from, size_t length,
                    float* HWY_RESTRICT to) const {
    for (size_t x = 0; x < length; x += hn::Lanes(d)) {
      auto value = hn::LoadU(d, from + row_offset_[0] + x);
      for (size_t row = 1; row < row_offset_.size(); ++row) {
        value = Op()(value, hn::LoadU(d, from + row_offset_[row] + x));
      }
      hn::StoreU(value, d, to + x);
    }
  }

  template <class Op>
  void reduce_columns(const float* HWY_RESTRICT columns, float* HWY_RESTRICT out) const {
    const D d;
    for (const auto& taps : taps_) {
      auto value = load(columns, taps[0]);
      for (size_t t = 1; t < taps.size(); ++t) value = Op()(value, load(columns, taps[t]));
      hn::StoreU(value, d, out);
      out += kLanes;
    }
  }

  static hn::Vec<D> load(const float* HWY_RESTRICT columns, const Tap& tap) {
    const D d;
    return tap.index.empty() ? hn::LoadU(d, columns + tap.first)
                             : hn::GatherIndex(d, columns, hn::LoadU(DI(), tap.index.data()));
  }

  const PatchScores& scores_;
  size_t stride_, pitch_ = 0;
  int first_column_ = 0;
  std::vector<int64_t> row_offset_;
  std::vector<Strip> strips_;
  std::vector<std::vector<Tap>> taps_;  // [vectors of tiles][patches]
  std::vector<float> columns_;          // [kBatch, pitch]
};

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
