// The stages of a frame between pixels and scores, and what they keep from frame to frame.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "feedback.hpp"
#include "frame_encoder.hpp"
#include "kernels/common/gemm.h"
#include "kernels/common/thread_pool.h"
#include "segments.hpp"
#include "stage_clock.hpp"
#include "vocabseg/segmenter.hpp"

namespace vocabseg {

// What the stages after `encode` need beside features.
struct FrameNeeds {
  const Vocabulary* words = nullptr;  // for the step "feedback"
  bool segments = false;              // the clusters of CLIPtrase
  bool class_token = false;           // the class token's features
};

class FramePipeline {
 public:
  // `check` is called between the stages, and may throw. Throws EngineError if an engine is
  // missing.
  FramePipeline(const Bundle& bundle, Engines engines, int threads, std::function<void()> check);

  // Features [windows, patches, dim], valid until the next call. Ends its stages on the clock.
  const float* encode(const kernels::ImageView& image, const FrameNeeds& needs, StageClock& clock);

  // Cosines [windows, queries, patches] of the features, valid until the next call; weighted by the
  // class token's where `encode` was told to keep them.
  const float* compare(const float* features, const Vocabulary& words);

  // The segments of the frame that was encoded last, with clusters.
  SegmentMap segments();

  // Windows [count, 3, height, width] -> features [count, patches, dim]: the image engine alone;
  // and both engines, with labels of patches [count, patches] in place of the words'.
  std::vector<float> encode_windows(const float* windows, int64_t count);
  std::vector<float> encode_feedback(const float* windows, const int32_t* patch_labels,
                                     int64_t count);

  const FrameEncoder& encoder() const { return encoder_; }
  const FramePlan& plan() const { return plan_; }  // of the last frame's size
  kernels::ThreadPool& pool() { return pool_; }
  bool has_feedback() const { return feedback_.has_value(); }

 private:
  // The words' rows as the products take them, packed once per frame.
  const kernels::PackedMatrix& text(const Vocabulary& words);
  void find_clusters_of(const WindowBatch& batch);
  void weight_by_class_token(const Vocabulary& words);

  Manifest manifest_;
  FrameEncoder encoder_;
  std::optional<FeedbackPass> feedback_;
  kernels::ThreadPool pool_;
  std::function<void()> check_;

  FramePlan plan_;
  std::optional<kernels::PackedMatrix> text_;
  std::vector<float> similarity_;
  std::vector<WindowClusters> clusters_;
  std::vector<float> class_features_;  // [windows, dim], empty where they are not needed
};

}  // namespace vocabseg
