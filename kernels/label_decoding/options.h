// What the parts of label decoding share.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/label_decoding/cpu.h"

namespace vocabseg::kernels {

// Throw ShapeError unless the options fit `queries` queries, and labels of the given largest value.
void check_options(const DecodeOptions& options, int queries);
void check_label_range(const DecodeOptions& options, int64_t largest);
// Throws ShapeError unless the axis weights are made.
void check_weights(const AxisWeights& rows, const AxisWeights& cols);

template <class Label>
void check_label_type(const DecodeOptions& options) {
  check_label_range(options, std::numeric_limits<Label>::max());
}

inline bool enabled(const DecodeOptions& options, int32_t label) {
  return !options.class_enabled || options.class_enabled[label];
}

// Queries in the order in which they are compared: those of enabled classes first, by rising class,
// so that the first maximum is the one of the lowest class.
struct QueryOrder {
  std::vector<int32_t> query;
  int enabled = 0;

  int queries() const { return static_cast<int>(query.size()); }
};

QueryOrder order_queries(const DecodeOptions& options, int queries);

// scores [W, Q, gh, gw] as one grid of rows.columns() x cols.columns() patches per query.
struct PatchScores {
  const float* data;
  int queries;
  const AxisWeights &rows, &cols;

  int windows() const { return rows.windows * cols.windows; }
  int64_t plane() const { return int64_t{rows.grid} * cols.grid; }  // patches of a window
  int64_t size() const { return plane() * queries * windows(); }
  // Where the scores of query 0 lie: in a row of patches plus in a column.
  int64_t row_offset(int row) const {
    return int64_t{row / rows.grid} * cols.windows * queries * plane() +
           int64_t{row % rows.grid} * cols.grid;
  }
  int64_t col_offset(int col) const {
    return plane() * queries * (col / cols.grid) + col % cols.grid;
  }
  // A patch's number in [W, gh, gw].
  int64_t patch(int row, int col) const {
    const int64_t window = int64_t{row / rows.grid} * cols.windows + col / cols.grid;
    return window * plane() + int64_t{row % rows.grid} * cols.grid + col % cols.grid;
  }
};

}  // namespace vocabseg::kernels
