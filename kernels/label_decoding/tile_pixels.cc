#include "kernels/label_decoding/tile_pixels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/label_decoding/tile_pixels.cc"
#include <hwy/foreach_target.h>
// The order matters: after foreach_target.h.
#include <hwy/highway.h>

#include "kernels/label_decoding/exp-inl.h"
#include "kernels/label_decoding/tile_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {

// The pixels of one row of a tile. kTaps: number of column patches, 0 where it is not known here.
template <int kTaps, class Label>
class RowDecoder {
 public:
  RowDecoder(const AxisTile& col, const TileScores& scores, const PixelOutput<Label>& out)
      : col_(col),
        scores_(scores),
        out_(out),
        taps_(kTaps > 0 ? kTaps : col.patches()),
        exp_(out.logit_scale) {}

  // Whole vectors, the last one shifted back so that it ends with the row; what it shares with the
  // one before comes out the same. A tile narrower than a vector goes through a buffer.
  void run(const float* HWY_RESTRICT line, const RowWinners& winners, Label* labels,
           float* class_scores) const {
    const int64_t width = col_.pixels();
    if (winners.count == 1 && !out_.probabilities) {
      std::fill_n(labels, width, static_cast<Label>(winners.classes[0]));
      return;
    }
    if (width < kLanes) {
      Label label_buffer[kLanes];
      float score_buffer[kLanes];
      decode<1>(line, winners, 0, 0, label_buffer, score_buffer);
      std::copy_n(label_buffer, width, labels);
      if (class_scores) std::copy_n(score_buffer, width, class_scores);
      return;
    }
    const int64_t last = width - kLanes;
    int64_t x = 0;
    for (; x + kLanes < width; x += 2 * kLanes) {
      decode<2>(line, winners, x, std::min(x + kLanes, last), labels, class_scores);
    }
    if (x < width) decode<1>(line, winners, last, last, labels, class_scores);
  }

 private:
  // Value of candidate k at the vector of pixels from x on, whose weights are w where kTaps > 0.
  HWY_INLINE V value(const float* HWY_RESTRICT line, int64_t stride, int64_t k, const V* w,
                     int64_t x) const {
    const D d;
    if constexpr (kTaps > 0) {
      V sum = hn::Mul(w[0], hn::Set(d, line[k]));
      if constexpr (kTaps > 1) sum = hn::MulAdd(w[1], hn::Set(d, line[stride + k]), sum);
      if constexpr (kTaps > 2) sum = hn::MulAdd(w[2], hn::Set(d, line[2 * stride + k]), sum);
      if constexpr (kTaps > 3) sum = hn::MulAdd(w[3], hn::Set(d, line[3 * stride + k]), sum);
      return sum;
    } else {
      const float* HWY_RESTRICT weight = col_.weight.data() + x;
      V sum = hn::Mul(hn::LoadU(d, weight), hn::Set(d, line[k]));
      for (int t = 1; t < taps_; ++t) {
        sum = hn::MulAdd(hn::LoadU(d, weight + t * col_.stride), hn::Set(d, line[t * stride + k]),
                         sum);
      }
      return sum;
    }
  }

  // kVectors vectors of pixels, from x0 and from x1 on.
  template <int kVectors>
  HWY_INLINE void decode(const float* HWY_RESTRICT line, const RowWinners& winners, int64_t x0,
                         int64_t x1, Label* labels, float* class_scores) const {
    const D d;
    const DI di;
    const int64_t x[2] = {x0, x1};
    V weight[kVectors][kTaps > 0 ? kTaps : 1];
    V best[kVectors], peak[kVectors], sum[kVectors];
    VI winner[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      for (int t = 0; t < kTaps; ++t) {
        weight[v][t] = hn::LoadU(d, col_.weight.data() + t * col_.stride + x[v]);
      }
      best[v] = value(winners.line, winners.stride, 0, weight[v], x[v]);
      winner[v] = hn::Set(di, winners.classes[0]);
    }
    for (int k = 1; k < winners.count; ++k) {
      const VI label = hn::Set(di, winners.classes[k]);
      for (int v = 0; v < kVectors; ++v) {
        const V score = value(winners.line, winners.stride, k, weight[v], x[v]);
        winner[v] = hn::IfThenElse(hn::RebindMask(di, hn::Gt(score, best[v])), label, winner[v]);
        best[v] = hn::Max(best[v], score);
      }
    }
    if (!out_.probabilities) {
      for (int v = 0; v < kVectors; ++v) store(winner[v], labels + x[v]);
      return;
    }
    for (int v = 0; v < kVectors; ++v) {
      peak[v] = best[v];
      sum[v] = hn::Zero(d);
    }
    for (int k = scores_.winners; k < scores_.peaks; ++k) {
      for (int v = 0; v < kVectors; ++v) {
        peak[v] = hn::Max(peak[v], value(line, scores_.stride, k, weight[v], x[v]));
      }
    }
    for (int k = 0; k < scores_.all; ++k) {
      for (int v = 0; v < kVectors; ++v) {
        const V score = value(line, scores_.stride, k, weight[v], x[v]);
        sum[v] = hn::Add(sum[v], exp_(hn::Sub(score, peak[v])));
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      const V probability = hn::Div(exp_(hn::Sub(best[v], peak[v])), sum[v]);
      const auto labelled = hn::Ge(probability, hn::Set(d, out_.threshold));
      winner[v] = hn::IfThenElse(hn::RebindMask(di, labelled), winner[v],
                                 hn::Set(di, static_cast<int32_t>(out_.unlabeled)));
      store(winner[v], labels + x[v]);
      if (class_scores) hn::StoreU(probability, d, class_scores + x[v]);
    }
  }

  static HWY_INLINE void store(VI winner, Label* labels) {
    const hn::Rebind<Label, DI> d;
    hn::StoreU(hn::DemoteTo(d, winner), d, labels);
  }

  const AxisTile& col_;
  const TileScores& scores_;
  const PixelOutput<Label>& out_;
  int taps_;
  ExpOfProduct exp_;
};

template <int kTaps, class Label>
void decode_with(const AxisTile& row, const AxisTile& col, const TileScores& scores,
                 const PixelOutput<Label>& out, TileScratch& scratch) {
  const RowDecoder<kTaps, Label> decoder(col, scores, out);
  const RowWinners all{scratch.line.data(), scores.stride, scores.classes, scores.winners};
  RowWinners left{scratch.kept.data(), scores.stride + kCandidateLanes, scratch.kept_classes.data(),
                  0};
  const bool many = all.count > kFewWinners;
  for (int y = 0; y < row.pixels(); ++y) {
    combine_rows(row, y, col.patches(), scores, scratch.line.data());
    if (many) prune_row(all, col.patches(), row.patches() + col.patches(), scratch, left);
    decoder.run(all.line, many ? left : all, out.labels + y * out.pitch,
                out.class_scores ? out.class_scores + y * out.pitch : nullptr);
  }
}

template <class Label>
void decode_any(const AxisTile& row, const AxisTile& col, const TileScores& scores,
                const PixelOutput<Label>& out, TileScratch& scratch) {
  switch (col.patches()) {
    case 1:
      return decode_with<1>(row, col, scores, out, scratch);
    case 2:
      return decode_with<2>(row, col, scores, out, scratch);
    case 3:
      return decode_with<3>(row, col, scores, out, scratch);
    case 4:
      return decode_with<4>(row, col, scores, out, scratch);
    default:
      return decode_with<0>(row, col, scores, out, scratch);
  }
}

void decode8(const AxisTile& row, const AxisTile& col, const TileScores& scores,
             const PixelOutput<uint8_t>& out, TileScratch& scratch) {
  decode_any(row, col, scores, out, scratch);
}
void decode16(const AxisTile& row, const AxisTile& col, const TileScores& scores,
              const PixelOutput<uint16_t>& out, TileScratch& scratch) {
  decode_any(row, col, scores, out, scratch);
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(decode8);
HWY_EXPORT(decode16);

namespace {

void make_room(const AxisTile& col, const TileScores& scores, TileScratch& scratch) {
  // What is compressed is stored as whole vectors.
  const auto room = static_cast<size_t>(scores.stride + kCandidateLanes);
  scratch.line.resize(col.index.size() * room);
  scratch.kept.resize(col.index.size() * room);
  scratch.kept_classes.resize(room);
}

}  // namespace

void decode_tile(const AxisTile& row, const AxisTile& col, const TileScores& scores,
                 const PixelOutput<uint8_t>& out, TileScratch& scratch) {
  make_room(col, scores, scratch);
  HWY_DYNAMIC_DISPATCH(decode8)(row, col, scores, out, scratch);
}
void decode_tile(const AxisTile& row, const AxisTile& col, const TileScores& scores,
                 const PixelOutput<uint16_t>& out, TileScratch& scratch) {
  make_room(col, scores, scratch);
  HWY_DYNAMIC_DISPATCH(decode16)(row, col, scores, out, scratch);
}

}  // namespace vocabseg::kernels
#endif
