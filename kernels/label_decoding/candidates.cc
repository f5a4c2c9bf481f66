#include "kernels/label_decoding/candidates.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/label_decoding/bounds.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/label_decoding/candidates.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

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
class Reducer {
 public:
  // Queries whose columns lie side by side in a buffer, so that they are stored when they are read.
  static constexpr int kBatch = 8;

  Reducer(const PatchScores& scores, const AxisTile& row, const AxisTile* cols, int tiles)
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

// Calls body(first position, count) for batches of the positions [begin, end).
template <class Body>
void for_batches(int begin, int end, const Body& body) {
  for (int i = begin; i < end; i += Reducer::kBatch) body(i, std::min(Reducer::kBatch, end - i));
}

// lowest [stride] = max(lowest, smallest score of each query).
void raise(Reducer& reducer, const QueryOrder& order, int begin, int end, float* batch,
           float* HWY_RESTRICT lowest) {
  const D d;
  for_batches(begin, end, [&](int first, int count) {
    reducer.run<Minimum>(&order.query[first], count, batch);
    for (size_t x = 0; x < reducer.stride(); x += kLanes) {
      auto best = hn::LoadU(d, lowest + x);
      for (int i = 0; i < count; ++i) {
        best = hn::Max(best, hn::LoadU(d, batch + i * reducer.stride() + x));
      }
      hn::StoreU(best, d, lowest + x);
    }
  });
}

template <class M>
uint64_t bits_of(M mask) {
  uint64_t bits = 0;
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(D(), mask, bytes);
  std::memcpy(&bits, bytes, sizeof bits);
  return bits;
}

template <class Add>
void for_set_bits(uint64_t bits, const Add& add) {
  for (; bits != 0; bits &= bits - 1) add(hwy::Num0BitsBelowLS1Bit_Nonzero64(bits));
}

void select(const PatchScores& scores, const QueryOrder& order, const Softmax& softmax,
            const AxisTile& row, const AxisTile* cols, int tiles, Candidates* out) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const D d;
  Reducer reducer(scores, row, cols, tiles);
  const size_t stride = reducer.stride();
  std::vector<float> batch(Reducer::kBatch * stride);
  // The largest of the queries' smallest scores: of the enabled ones, and of all.
  std::vector<float> enabled(stride, -kInfinity), all;
  raise(reducer, order, 0, order.enabled, batch.data(), enabled.data());
  all = enabled;
  if (softmax.wanted) {
    raise(reducer, order, order.enabled, order.queries(), batch.data(), all.data());
  }

  std::vector<float> win(stride, kInfinity), peak = win, term = win;
  for (int i = 0; i < tiles; ++i) {
    const int taps = row.patches() + cols[i].patches();
    win[i] = below(enabled[i], taps);
    peak[i] = below(all[i], taps);
    term[i] = all[i] - softmax.reach;
    out[i].clear();
  }
  const auto collect = [&](int begin, int end, const std::vector<float>& front,
                           std::vector<int32_t> Candidates::*list) {
    for_batches(begin, end, [&](int first, int count) {
      reducer.run<Maximum>(&order.query[first], count, batch.data());
      for (int i = 0; i < count; ++i) {
        for (size_t x = 0; x < stride; x += kLanes) {
          const auto highest = hn::LoadU(d, &batch[i * stride + x]);
          const uint64_t in_front = bits_of(hn::Ge(highest, hn::LoadU(d, &front[x])));
          for_set_bits(in_front, [&](size_t t) { (out[x + t].*list).push_back(first + i); });
          if (!softmax.wanted) continue;
          const uint64_t counts = bits_of(hn::Ge(highest, hn::LoadU(d, &term[x])));
          for_set_bits(counts & ~in_front,
                       [&](size_t t) { out[x + t].terms.push_back(first + i); });
        }
      }
    });
  };
  collect(0, order.enabled, win, &Candidates::winners);
  if (softmax.wanted) collect(order.enabled, order.queries(), peak, &Candidates::peaks);
}

// magnitude [end - begin] = the largest bits of |score|, over all queries, of the patches
// [begin, end) of one window; the bits of floats rise as magnitudes do, and NaN is above infinity.
void magnitudes(const float* HWY_RESTRICT scores, int queries, int64_t plane, int64_t begin,
                int64_t end, int32_t* HWY_RESTRICT magnitude) {
  const DI d;
  const D df;
  const auto magnitude_bits = hn::Set(d, 0x7FFFFFFF);
  const int64_t length = end - begin, vectors = length - length % static_cast<int64_t>(kLanes);
  for (int q = 0; q < queries; ++q) {
    const float* HWY_RESTRICT from = scores + q * plane + begin;
    int64_t i = 0;
    for (; i < vectors; i += static_cast<int64_t>(kLanes)) {
      const auto bits = hn::And(hn::BitCast(d, hn::LoadU(df, from + i)), magnitude_bits);
      hn::StoreU(hn::Max(hn::LoadU(d, magnitude + i), bits), d, magnitude + i);
    }
    for (; i < length; ++i) {
      int32_t bits;
      std::memcpy(&bits, from + i, sizeof bits);
      magnitude[i] = std::max(magnitude[i], bits & 0x7FFFFFFF);
    }
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(select);
HWY_EXPORT(magnitudes);

void Candidates::clear() {
  winners.clear();
  peaks.clear();
  terms.clear();
}

Softmax make_softmax(bool wanted, float logit_scale, int queries) {
  // All skipped terms together are less than 2^-26 of the sum.
  const double distance = 26 * std::log(2.0) + std::log(static_cast<double>(queries));
  return {wanted, static_cast<float>(distance / logit_scale)};
}

void select_candidates(const PatchScores& scores, const QueryOrder& order, const Softmax& softmax,
                       const AxisTile& row, const AxisTile* cols, int tiles, Candidates* out) {
  HWY_DYNAMIC_DISPATCH(select)(scores, order, softmax, row, cols, tiles, out);
}

std::vector<uint8_t> find_irregular(const PatchScores& scores, ThreadPool& pool) {
  constexpr int32_t kLargest = (127 + 126) << 23;  // bits of 2^126
  const int64_t plane = scores.plane();
  const int windows = scores.rows.windows * scores.cols.windows;
  std::vector<int32_t> magnitude(static_cast<size_t>(windows * plane));
  pool.parallel_for(windows * plane, [&](int64_t begin, int64_t end) {
    for (int64_t next; begin < end; begin = next) {
      const int64_t window = begin / plane;
      next = std::min(end, (window + 1) * plane);
      HWY_DYNAMIC_DISPATCH(magnitudes)
      (scores.data + window * scores.queries * plane, scores.queries, plane, begin - window * plane,
       next - window * plane, &magnitude[begin]);
    }
  });
  if (*std::max_element(magnitude.begin(), magnitude.end()) <= kLargest) return {};
  std::vector<uint8_t> irregular(magnitude.size());
  std::transform(magnitude.begin(), magnitude.end(), irregular.begin(),
                 [](int32_t bits) { return bits > kLargest; });
  return irregular;
}

}  // namespace vocabseg::kernels
#endif
