#include "kernels/label_decoding/options.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "vocabseg/error.hpp"

namespace vocabseg::kernels {

void check_options(const DecodeOptions& options, int queries) {
  if (queries < 1 || options.classes < 1 || !options.query_to_class) {
    throw ShapeError("got " + std::to_string(queries) + " queries for " +
                     std::to_string(options.classes) +
                     " classes; expected at least one of each and a class for every query");
  }
  for (int q = 0; q < queries; ++q) {
    const int32_t label = options.query_to_class[q];
    if (label >= 0 && label < options.classes) continue;
    throw ShapeError("query " + std::to_string(q) + " has class " + std::to_string(label) +
                     "; expected 0 to " + std::to_string(options.classes - 1));
  }
  if (!(options.logit_scale > 0) || !std::isfinite(options.logit_scale)) {
    throw ShapeError("logit_scale must be positive and finite, got " +
                     std::to_string(options.logit_scale));
  }
  if (!(options.threshold >= 0 && options.threshold <= 1)) {
    throw ShapeError("threshold must lie between 0 and 1, got " +
                     std::to_string(options.threshold));
  }
}

void check_label_range(const DecodeOptions& options, int64_t largest) {
  if (options.classes - 1 <= largest && options.unlabeled >= 0 && options.unlabeled <= largest) {
    return;
  }
  throw ShapeError(std::to_string(options.classes) + " classes and the unlabelled value " +
                   std::to_string(options.unlabeled) + " do not fit labels of at most " +
                   std::to_string(largest) + ": use a wider label type or fewer classes");
}

void check_weights(const AxisWeights& rows, const AxisWeights& cols) {
  if (rows.rows > 0 && cols.rows > 0 && rows.grid > 0 && cols.grid > 0) return;
  throw ShapeError("axis weights are empty: make them with row_weights and col_weights");
}

QueryOrder order_queries(const DecodeOptions& options, int queries) {
  QueryOrder order;
  order.query.resize(static_cast<size_t>(queries));
  std::iota(order.query.begin(), order.query.end(), 0);
  const auto class_of = [&](int q) { return options.query_to_class[q]; };
  const auto disabled = std::stable_partition(order.query.begin(), order.query.end(),
                                              [&](int q) { return enabled(options, class_of(q)); });
  order.enabled = static_cast<int>(disabled - order.query.begin());
  std::stable_sort(order.query.begin(), disabled,
                   [&](int a, int b) { return class_of(a) < class_of(b); });
  return order;
}

}  // namespace vocabseg::kernels
