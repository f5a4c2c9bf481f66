#include "kernels/label_decoding/cpu.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/label_decoding/options.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

// Queries in the order in which they are compared: enabled ones first, by rising class, so that the
// first maximum is the one of the lowest class.
struct QueryOrder {
  std::vector<int> query;
  int enabled = 0;
};

QueryOrder order_queries(const DecodeOptions& options, int queries) {
  QueryOrder order;
  for (int q = 0; q < queries; ++q) order.query.push_back(q);
  const auto class_of = [&](int q) { return options.query_to_class[q]; };
  const auto disabled = std::stable_partition(order.query.begin(), order.query.end(),
                                              [&](int q) { return enabled(options, class_of(q)); });
  order.enabled = static_cast<int>(disabled - order.query.begin());
  std::stable_sort(order.query.begin(), disabled,
                   [&](int a, int b) { return class_of(a) < class_of(b); });
  return order;
}

void check_windows(const AxisWeights& rows, const AxisWeights& cols) {
  if (rows.rows > 0 && cols.rows > 0 && rows.grid > 0 && cols.grid > 0) return;
  throw ShapeError("axis weights are empty: make them with row_weights and col_weights");
}

// Position of query 0 at patch (row, col) of the composite grids in scores [W, Q, gh, gw].
int64_t patch_offset(int row, int col, int queries, const AxisWeights& rows,
                     const AxisWeights& cols) {
  const int64_t window = int64_t{row / rows.grid} * cols.windows + col / cols.grid;
  return (window * queries * rows.grid + row % rows.grid) * cols.grid + col % cols.grid;
}

// [rows.columns, cols.columns, Q]: the queries of a patch side by side, in comparison order.
std::vector<float> interleave(const float* scores, const std::vector<int>& query,
                              const AxisWeights& rows, const AxisWeights& cols, ThreadPool& pool) {
  const auto queries = static_cast<int>(query.size());
  const int64_t patches = int64_t{rows.grid} * cols.grid;
  std::vector<float> out(int64_t{rows.columns()} * cols.columns() * queries);
  pool.parallel_for(rows.columns(), [&](int64_t begin, int64_t end) {
    for (auto row = static_cast<int>(begin); row < end; ++row) {
      float* to = &out[int64_t{row} * cols.columns() * queries];
      for (int col = 0; col < cols.columns(); ++col) {
        const float* from = scores + patch_offset(row, col, queries, rows, cols);
        for (int q : query) *to++ = from[q * patches];
      }
    }
  });
  return out;
}

// out [n] = sum over the taps of row i of weight * in[index * n ...].
void combine(const AxisWeights& axis, int i, const float* in, int64_t n, float* out) {
  std::fill_n(out, n, 0.f);
  for (int k = axis.offset[i]; k < axis.offset[i + 1]; ++k) {
    const float weight = axis.weight[k];
    const float* patch = in + axis.index[k] * n;
    for (int64_t j = 0; j < n; ++j) out[j] += weight * patch[j];
  }
}

struct Winner {
  int position = -1;  // in comparison order
  float score = -std::numeric_limits<float>::infinity();
};

Winner find_winner(const float* scores, int count) {
  Winner winner;
  for (int i = 0; i < count; ++i) {
    if (scores[i] > winner.score) winner = {i, scores[i]};
  }
  return winner;
}

// softmax(scale * scores) of a winner.
float probability(const float* scores, int queries, int enabled, const Winner& winner,
                  float scale) {
  if (winner.position < 0) return 0;
  const float peak = std::max(winner.score, find_winner(scores + enabled, queries - enabled).score);
  float sum = 0;
  for (int i = 0; i < queries; ++i) {
    if (std::isnan(scores[i])) continue;
    sum += scores[i] == peak ? 1 : std::exp(scale * (scores[i] - peak));
  }
  return (winner.score == peak ? 1 : std::exp(scale * (winner.score - peak))) / sum;
}

}  // namespace

template <class Label>
void decode_labels(const float* scores, int queries, const AxisWeights& rows,
                   const AxisWeights& cols, const DecodeOptions& options, Label* labels,
                   float* class_scores, ThreadPool& pool) {
  check_options(options, queries);
  check_label_type<Label>(options);
  check_windows(rows, cols);
  const QueryOrder order = order_queries(options, queries);
  const std::vector<float> patches = interleave(scores, order.query, rows, cols, pool);
  const int64_t width = int64_t{cols.columns()} * queries;
  const bool probabilities = class_scores || options.threshold > 0;

  pool.parallel_for(rows.rows, [&](int64_t begin, int64_t end) {
    std::vector<float> line(width), pixel(queries);
    for (auto y = static_cast<int>(begin); y < end; ++y) {
      combine(rows, y, patches.data(), width, line.data());
      for (int x = 0; x < cols.rows; ++x) {
        combine(cols, x, line.data(), queries, pixel.data());
        const Winner winner = find_winner(pixel.data(), order.enabled);
        const float score = probabilities ? probability(pixel.data(), queries, order.enabled,
                                                        winner, options.logit_scale)
                                          : 0;
        const bool labelled = winner.position >= 0 && score >= options.threshold;
        const int64_t i = int64_t{y} * cols.rows + x;
        labels[i] = static_cast<Label>(
            labelled ? options.query_to_class[order.query[winner.position]] : options.unlabeled);
        if (class_scores) class_scores[i] = score;
      }
    }
  });
}

template void decode_labels<uint8_t>(const float*, int, const AxisWeights&, const AxisWeights&,
                                     const DecodeOptions&, uint8_t*, float*, ThreadPool&);
template void decode_labels<uint16_t>(const float*, int, const AxisWeights&, const AxisWeights&,
                                      const DecodeOptions&, uint16_t*, float*, ThreadPool&);

void upsample_scores(const float* scores, int queries, int query, const AxisWeights& rows,
                     const AxisWeights& cols, float* out, ThreadPool& pool) {
  check_windows(rows, cols);
  if (query < 0 || query >= queries) {
    throw ShapeError("got query " + std::to_string(query) + " of " + std::to_string(queries));
  }
  const int64_t skip = int64_t{query} * rows.grid * cols.grid;
  pool.parallel_for(rows.rows, [&](int64_t begin, int64_t end) {
    std::vector<float> line(cols.columns());
    for (auto y = static_cast<int>(begin); y < end; ++y) {
      std::fill(line.begin(), line.end(), 0.f);
      for (int k = rows.offset[y]; k < rows.offset[y + 1]; ++k) {
        for (int col = 0; col < cols.columns(); ++col) {
          const int64_t patch = patch_offset(rows.index[k], col, queries, rows, cols);
          line[col] += rows.weight[k] * scores[skip + patch];
        }
      }
      for (int x = 0; x < cols.rows; ++x)
        combine(cols, x, line.data(), 1, out + int64_t{y} * cols.rows + x);
    }
  });
}

}  // namespace vocabseg::kernels
