#include "kernels/label_decoding/options.h"

#include <cmath>
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

}  // namespace vocabseg::kernels
