#include "kernels/label_decoding/cpu.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/label_decoding/axis_tiles.h"
#include "kernels/label_decoding/candidates.h"
#include "kernels/label_decoding/options.h"
#include "kernels/label_decoding/tile_pixels.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

// Neighbouring tiles whose candidates are looked for together.
constexpr int kTilesAtOnce = 32;
// Scores beyond it count as this, so that the sum of one with weights that round to over 1 is
// finite.
constexpr float kLargest = 0x1.FFFFp127f;

template <class Label>
class Decoder {
 public:
  Decoder(const PatchScores& scores, const DecodeOptions& options, Label* labels,
          float* class_scores, ThreadPool& pool)
      : scores_(scores),
        options_(options),
        order_(order_queries(options, scores.queries)),
        softmax_(make_softmax(class_scores || options.threshold > 0, options.logit_scale,
                              scores.queries)),
        row_tiles_(cut_axis(scores.rows)),
        col_tiles_(cut_axis(scores.cols)),
        irregular_(find_irregular(scores, pool)),
        labels_(labels),
        class_scores_(class_scores) {}

  void run(ThreadPool& pool) const {
    pool.parallel_for(static_cast<int64_t>(row_tiles_.size()), [&](int64_t begin, int64_t end) {
      Scratch scratch;
      for (int64_t i = begin; i < end; ++i) decode_row(row_tiles_[i], scratch);
    });
  }

 private:
  // Reused from tile to tile.
  struct Scratch {
    std::vector<Candidates> candidates = std::vector<Candidates>(kTilesAtOnce);
    std::vector<float> patches;
    TileScratch tile;
    std::vector<int32_t> classes, queries;
  };

  void decode_row(const AxisTile& row, Scratch& scratch) const {
    const int tiles = static_cast<int>(col_tiles_.size());
    const int blocks = (tiles + kTilesAtOnce - 1) / kTilesAtOnce;
    for (int block = 0; block < blocks; ++block) {
      const int begin = tiles * block / blocks, end = tiles * (block + 1) / blocks;
      select_candidates(scores_, order_, softmax_, row, &col_tiles_[begin], end - begin,
                        scratch.candidates.data());
      for (int i = begin; i < end; ++i) {
        if (is_irregular(row, col_tiles_[i])) {
          decode_irregular(row, col_tiles_[i], scratch);
        } else {
          decode(row, col_tiles_[i], scratch.candidates[i - begin], softmax_.wanted, scratch);
        }
      }
    }
  }

  bool is_irregular(const AxisTile& row, const AxisTile& col) const {
    if (irregular_.empty()) return false;
    for (const int r : row.index) {
      for (const int c : col.index) {
        if (irregular_[scores_.patch(r, c)]) return true;
      }
    }
    return false;
  }

  // Cuts the tile until every patch has weight at every pixel: then a query with NaN or -infinity
  // at one of them is lost at all pixels, and one with +infinity is infinite at all.
  void decode_irregular(const AxisTile& tile_row, const AxisTile& tile_col,
                        Scratch& scratch) const {
    Candidates candidates;
    for (const AxisTile& row : cut_exactly(scores_.rows, tile_row.begin, tile_row.end)) {
      for (const AxisTile& col : cut_exactly(scores_.cols, tile_col.begin, tile_col.end)) {
        const Infinite infinite = select_irregular(scores_, order_, softmax_, row, col, candidates);
        if (infinite.first >= 0) {
          fill(row, col, class_of(infinite.first), 1 / static_cast<float>(infinite.count));
        } else if (infinite.count == 0) {
          decode(row, col, candidates, softmax_.wanted, scratch);
        } else if (options_.threshold > 0) {
          fill(row, col, options_.unlabeled, 0);
        } else {  // infinity of a disabled class takes all probability
          fill(row, col, options_.unlabeled, 0);
          decode(row, col, candidates, false, scratch);
        }
      }
    }
  }

  void decode(const AxisTile& row, const AxisTile& col, const Candidates& candidates,
              bool probabilities, Scratch& scratch) const {
    if (candidates.winners.empty()) return fill(row, col, options_.unlabeled, 0);
    if (!probabilities && candidates.winners.size() == 1) {
      return fill_labels(row, col, class_of(candidates.winners[0]));
    }
    const TileScores scores = gather(row, col, candidates, probabilities, scratch);
    const int64_t first = int64_t{row.begin} * scores_.cols.rows + col.begin;
    const PixelOutput<Label> out{options_.logit_scale,
                                 options_.threshold,
                                 static_cast<Label>(options_.unlabeled),
                                 probabilities,
                                 labels_ + first,
                                 class_scores_ && probabilities ? class_scores_ + first : nullptr,
                                 scores_.cols.rows};
    decode_tile(row, col, scores, out, scratch.tile);
  }

  // The candidates' patch scores, side by side.
  TileScores gather(const AxisTile& row, const AxisTile& col, const Candidates& candidates,
                    bool probabilities, Scratch& scratch) const {
    std::vector<int32_t>& queries = scratch.queries;
    queries.clear();
    scratch.classes.clear();
    for (const int32_t i : candidates.winners) {
      queries.push_back(order_.query[i]);
      scratch.classes.push_back(class_of(i));
    }
    if (probabilities) {
      for (const int32_t i : candidates.peaks) queries.push_back(order_.query[i]);
      for (const int32_t i : candidates.terms) queries.push_back(order_.query[i]);
    }
    const auto count = static_cast<int64_t>(queries.size());
    const int64_t stride = (count + kCandidateLanes - 1) / kCandidateLanes * kCandidateLanes;
    scratch.classes.resize(stride);
    scratch.patches.assign(row.index.size() * col.index.size() * stride, 0.0f);
    float* to = scratch.patches.data();
    for (const int r : row.index) {
      for (const int c : col.index) {
        const float* from = scores_.data + scores_.row_offset(r) + scores_.col_offset(c);
        for (int64_t k = 0; k < count; ++k) {
          to[k] = std::clamp(from[queries[k] * scores_.plane()], -kLargest, kLargest);
        }
        to += stride;
      }
    }
    const auto winners = static_cast<int>(candidates.winners.size());
    const auto peaks = probabilities ? static_cast<int>(candidates.peaks.size()) : 0;
    return {scratch.patches.data(), stride, scratch.classes.data(), winners, winners + peaks,
            static_cast<int>(count)};
  }

  int32_t class_of(int32_t position) const {
    return options_.query_to_class[order_.query[position]];
  }

  void fill_labels(const AxisTile& row, const AxisTile& col, int32_t label) const {
    for (int y = row.begin; y < row.end; ++y) {
      Label* to = labels_ + int64_t{y} * scores_.cols.rows;
      std::fill(to + col.begin, to + col.end, static_cast<Label>(label));
    }
  }

  void fill(const AxisTile& row, const AxisTile& col, int32_t label, float score) const {
    fill_labels(row, col, score >= options_.threshold ? label : options_.unlabeled);
    for (int y = row.begin; class_scores_ && y < row.end; ++y) {
      float* to = class_scores_ + int64_t{y} * scores_.cols.rows;
      std::fill(to + col.begin, to + col.end, score);
    }
  }

  const PatchScores scores_;
  const DecodeOptions& options_;
  const QueryOrder order_;
  const Softmax softmax_;
  const std::vector<AxisTile> row_tiles_, col_tiles_;
  const std::vector<uint8_t> irregular_;
  Label* labels_;
  float* class_scores_;
};

}  // namespace

template <class Label>
void decode_labels(const float* scores, int queries, const AxisWeights& rows,
                   const AxisWeights& cols, const DecodeOptions& options, Label* labels,
                   float* class_scores, ThreadPool& pool) {
  check_options(options, queries);
  check_label_type<Label>(options);
  check_weights(rows, cols);
  Decoder<Label>({scores, queries, rows, cols}, options, labels, class_scores, pool).run(pool);
}

template void decode_labels<uint8_t>(const float*, int, const AxisWeights&, const AxisWeights&,
                                     const DecodeOptions&, uint8_t*, float*, ThreadPool&);
template void decode_labels<uint16_t>(const float*, int, const AxisWeights&, const AxisWeights&,
                                      const DecodeOptions&, uint16_t*, float*, ThreadPool&);

}  // namespace vocabseg::kernels
