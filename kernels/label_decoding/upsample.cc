#include <string>
#include <vector>

#include "kernels/label_decoding/axis_tiles.h"
#include "kernels/label_decoding/cpu.h"
#include "kernels/label_decoding/options.h"
#include "vocabseg/error.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/label_decoding/upsample.cc"
#include <hwy/foreach_target.h>
// The order matters: after foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
constexpr int kLanes = HWY_LANES(float);

// out [pixels of the tile] = sum over its patches of weight * line.
void combine_columns(const AxisTile& tile, const float* HWY_RESTRICT line,
                     float* HWY_RESTRICT out) {
  const D d;
  const auto value = [&](int x) HWY_ATTR {
    const float* HWY_RESTRICT weight = tile.weight.data() + x;
    auto sum = hn::Mul(hn::LoadU(d, weight), hn::Set(d, line[tile.index[0]]));
    for (int t = 1; t < tile.patches(); ++t) {
      sum =
          hn::MulAdd(hn::LoadU(d, weight + t * tile.stride), hn::Set(d, line[tile.index[t]]), sum);
    }
    return sum;
  };
  int x = 0;
  for (; x + kLanes <= tile.pixels(); x += kLanes) hn::StoreU(value(x), d, out + x);
  if (x == tile.pixels()) return;
  float rest[kLanes];
  hn::StoreU(value(x), d, rest);
  std::copy_n(rest, tile.pixels() - x, out + x);
}

// Pixel rows [begin, end) of one query.
void upsample(const PatchScores& scores, int query, const std::vector<AxisTile>& tiles, int begin,
              int end, float* out) {
  const hn::CappedTag<float, 1> scalar;  // the same arithmetic as decode_labels
  const float* plane = scores.data + query * scores.plane();
  const int columns = scores.cols.columns();
  std::vector<float> line(static_cast<size_t>(columns));
  for (int y = begin; y < end; ++y) {
    for (int col = 0; col < columns; ++col) {
      const float* from = plane + scores.col_offset(col);
      auto sum = hn::Zero(scalar);
      for (int k = scores.rows.offset[y]; k < scores.rows.offset[y + 1]; ++k) {
        sum = hn::MulAdd(hn::Set(scalar, scores.rows.weight[k]),
                         hn::Set(scalar, from[scores.row_offset(scores.rows.index[k])]), sum);
      }
      line[col] = hn::GetLane(sum);
    }
    for (const AxisTile& tile : tiles) {
      combine_columns(tile, line.data(), out + int64_t{y} * scores.cols.rows + tile.begin);
    }
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(upsample);

void upsample_scores(const float* scores, int queries, int query, const AxisWeights& rows,
                     const AxisWeights& cols, float* out, ThreadPool& pool) {
  check_weights(rows, cols);
  if (query < 0 || query >= queries) {
    throw ShapeError("got query " + std::to_string(query) + " of " + std::to_string(queries));
  }
  // Without weights that are 0, so that what has no weight has no influence, NaN or not.
  const std::vector<AxisTile> tiles = cut_exactly(cols, 0, cols.rows);
  pool.parallel_for(rows.rows, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(upsample)
    ({scores, queries, rows, cols}, query, tiles, static_cast<int>(begin), static_cast<int>(end),
     out);
  });
}

}  // namespace vocabseg::kernels
#endif
