// ResCLIP's second pass: the words' first labels say which patches share a region.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "frame_encoder.hpp"
#include "kernels/common/gemm.h"
#include "kernels/common/thread_pool.h"
#include "vocabseg/bundle.hpp"
#include "vocabseg/engine.hpp"

namespace vocabseg {

class FeedbackPass {
 public:
  // `engine` runs the bundle's feedback encoder.
  FeedbackPass(const Bundle& bundle, std::unique_ptr<Engine> engine);

  // Replaces the features of a batch. text: transposed text rows [queries, dim], packed. `check`
  // may throw.
  void run(const WindowBatch& batch, const kernels::PackedMatrix& text, int queries,
           kernels::ThreadPool& pool, const std::function<void()>& check);

  // The same with the label of each patch [count, patches] given.
  void run(const WindowBatch& batch, const int32_t* patch_labels, kernels::ThreadPool& pool);

 private:
  // The query that most pixels of each patch of a window are labelled with.
  std::vector<int32_t> patch_labels(const float* window, const float* scores, int queries,
                                    kernels::ThreadPool& pool, const std::function<void()>& check);

  Manifest manifest_;
  Feedback step_;
  std::unique_ptr<Engine> engine_;
  kernels::AxisWeights rows_, cols_;  // from patches to a window's pixels
  std::vector<float> shared_;
};

}  // namespace vocabseg
