// What decode_labels and LabelVote share.
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/label_decoding/cpu.h"

namespace vocabseg::kernels {

// Throw ShapeError unless the options fit `queries` queries, and labels of the given largest value.
void check_options(const DecodeOptions& options, int queries);
void check_label_range(const DecodeOptions& options, int64_t largest);

template <class Label>
void check_label_type(const DecodeOptions& options) {
  check_label_range(options, std::numeric_limits<Label>::max());
}

inline bool enabled(const DecodeOptions& options, int32_t label) {
  return !options.class_enabled || options.class_enabled[label];
}

}  // namespace vocabseg::kernels
