// Labels from full-resolution score maps that come one query at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/thread_pool.h"
#include "kernels/label_decoding/cpu.h"

namespace vocabseg::kernels {

// decode_labels for scores that a post-step (PAMR) changes at full resolution. It keeps the best
// query and the running log-sum-exp of each pixel, so that nothing of size Q * H * W exists. Same
// rules and same options as decode_labels; the order of the queries does not matter for labels.
class LabelVote {
 public:
  // `probabilities`: whether finish will be asked for class scores (a threshold needs them in any
  // case). The arrays that `options` points to must outlive the vote.
  LabelVote(int64_t pixels, int queries, const DecodeOptions& options, bool probabilities,
            ThreadPool& pool);

  // Adds the scores [pixels] of one query. Each query is added once.
  void add(int query, const float* scores);

  // labels [pixels]; class_scores [pixels] or null. Label is uint8_t or uint16_t.
  template <class Label>
  void finish(Label* labels, float* class_scores) const;

 private:
  void add_pixels(int query, const float* scores, int64_t first, int64_t n);

  int64_t pixels_;
  int queries_;
  DecodeOptions options_;
  bool probabilities_;
  ThreadPool& pool_;
  std::vector<float> best_;        // score of the winner so far
  std::vector<int32_t> winner_;    // its class, -1 for none
  std::vector<float> peak_, sum_;  // log-sum-exp = peak + log(sum), over all queries
};

extern template void LabelVote::finish<uint8_t>(uint8_t*, float*) const;
extern template void LabelVote::finish<uint16_t>(uint16_t*, float*) const;

}  // namespace vocabseg::kernels
