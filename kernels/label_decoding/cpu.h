// From patch scores to a label per pixel.
#pragma once

#include <cstdint>

#include "kernels/common/axis_weights.h"
#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

struct DecodeOptions {
  const int32_t* query_to_class = nullptr;  // [Q], each in [0, classes)
  int classes = 0;
  float logit_scale = 1;  // > 0
  float threshold = 0;    // pixels whose best class probability is lower are unlabelled; 0: none
  int unlabeled = 0;      // must fit the label type, as classes - 1 must
  const uint8_t* class_enabled = nullptr;  // [C]; classes with 0 never win but stay in the softmax
};

// The rules, which LabelVote shares:
// - scores are up-sampled, and where windows overlap averaged, before anything else;
// - the probability of a class is the maximum over its queries of softmax over all queries of
//   logit_scale * score, and the largest wins. The softmax rises with the score, so labels alone
//   need no exp;
// - ties go to the lower class;
// - NaN and -infinity never win and add nothing to the softmax; a pixel without a winner is
// unlabelled, with
//   score 0. A patch of weight zero has no influence, NaN or not.
//
// scores [W, Q, gh, gw] with W = rows.windows * cols.windows (row-major), gh = rows.grid, gw =
// cols.grid; labels [H, W_out] with H = rows.rows, W_out = cols.rows; class_scores the same or
// null: the probability of the best class (also where it is under the threshold). Label is uint8_t
// or uint16_t. Never holds more than O(Q * columns) scores per thread.
template <class Label>
void decode_labels(const float* scores, int queries, const AxisWeights& rows,
                   const AxisWeights& cols, const DecodeOptions& options, Label* labels,
                   float* class_scores, ThreadPool& pool);

// The up-sampled scores of one query: out [H, W_out] float32.
void upsample_scores(const float* scores, int queries, int query, const AxisWeights& rows,
                     const AxisWeights& cols, float* out, ThreadPool& pool);

extern template void decode_labels<uint8_t>(const float*, int, const AxisWeights&,
                                            const AxisWeights&, const DecodeOptions&, uint8_t*,
                                            float*, ThreadPool&);
extern template void decode_labels<uint16_t>(const float*, int, const AxisWeights&,
                                             const AxisWeights&, const DecodeOptions&, uint16_t*,
                                             float*, ThreadPool&);

}  // namespace vocabseg::kernels
