#include "frame_pipeline.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "kernels/patch_text_similarity/cpu.h"
#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

std::unique_ptr<Engine> present(std::unique_ptr<Engine> engine, const char* encoder) {
  if (!engine) throw EngineError(std::string("the bundle's ") + encoder + " was given no engine");
  return engine;
}

int64_t queries_of(const Vocabulary& words) {
  return static_cast<int64_t>(words.words.queries.size());
}

}  // namespace

FramePipeline::FramePipeline(const Bundle& bundle, Engines engines, int threads,
                             std::function<void()> check)
    : manifest_(bundle.manifest()),
      encoder_(bundle, present(std::move(engines.image), "image encoder")),
      pool_(threads),
      check_(std::move(check)) {
  if (manifest_.feedback_encoder) {
    feedback_.emplace(bundle, present(std::move(engines.feedback), "feedback encoder"));
  }
}

const float* FramePipeline::encode(const kernels::ImageView& image, const FrameNeeds& needs,
                                   StageClock& clock) {
  if (plan_.windows.source_h != image.height || plan_.windows.source_w != image.width) {
    plan_ = encoder_.plan(image.height, image.width);
  }
  clusters_.clear();
  class_features_.clear();
  text_.reset();
  return encoder_.encode(image, plan_, pool_, clock, [&](const WindowBatch& batch) {
    check_();
    if (feedback_) {
      feedback_->run(batch, text(*needs.words), static_cast<int>(queries_of(*needs.words)), pool_,
                     check_);
      clock.stop("feedback");
    }
    if (needs.class_token) {
      const auto* rows = static_cast<const float*>(batch.extra.at("class_features").data);
      class_features_.insert(class_features_.end(), rows, rows + batch.count * encoder_.dim());
    }
    if (needs.segments) {
      find_clusters_of(batch);
      clock.stop("clusters");
    }
    check_();
  });
}

void FramePipeline::find_clusters_of(const WindowBatch& batch) {
  auto found = find_clusters(batch, *manifest_.post_steps.segment_vote, manifest_.grid_h,
                             manifest_.grid_w, pool_);
  std::move(found.begin(), found.end(), std::back_inserter(clusters_));
}

const kernels::PackedMatrix& FramePipeline::text(const Vocabulary& words) {
  if (!text_) {
    text_ = kernels::PackedMatrix::pack_transposed(words.embeddings.data(), encoder_.dim(),
                                                   encoder_.dim(), queries_of(words), pool_);
  }
  return *text_;
}

const float* FramePipeline::compare(const float* features, const Vocabulary& words) {
  const int64_t patches = encoder_.patches(), windows = plan_.windows.windows();
  similarity_.resize(static_cast<size_t>(windows * queries_of(words) * patches));
  kernels::patch_text_similarity(
      {features, kernels::FloatType::kFloat32, windows, patches, encoder_.dim()}, text(words),
      false, similarity_.data(), pool_);
  if (!class_features_.empty()) weight_by_class_token(words);
  check_();
  return similarity_.data();
}

// CLIPtrase's official code multiplies logits by the class token's, both on the logit scale.
void FramePipeline::weight_by_class_token(const Vocabulary& words) {
  const int64_t windows = plan_.windows.windows(), patches = encoder_.patches();
  std::vector<float> cosines(static_cast<size_t>(windows * queries_of(words)));
  kernels::patch_text_similarity(
      {class_features_.data(), kernels::FloatType::kFloat32, windows, 1, encoder_.dim()},
      text(words), false, cosines.data(), pool_);
  float* scores = similarity_.data();
  for (const float cosine : cosines) {
    const float factor = manifest_.logit_scale * cosine;
    std::for_each(scores, scores + patches, [factor](float& score) { score *= factor; });
    scores += patches;
  }
}

SegmentMap FramePipeline::segments() {
  return draw_segments(clusters_, plan_, manifest_.post_steps.segment_vote->upsample, pool_);
}

std::vector<float> FramePipeline::encode_windows(const float* windows, int64_t count) {
  std::vector<float> features(static_cast<size_t>(count * encoder_.patches() * encoder_.dim()));
  encoder_.run_engine(windows, count, features.data(), [&](const WindowBatch&) { check_(); });
  return features;
}

std::vector<float> FramePipeline::encode_feedback(const float* windows, const int32_t* patch_labels,
                                                  int64_t count) {
  if (!feedback_) {
    throw BundleError("the bundle's method " + manifest_.method + " has no second pass");
  }
  const int64_t patches = encoder_.patches();
  std::vector<float> features(static_cast<size_t>(count * patches * encoder_.dim()));
  encoder_.run_engine(windows, count, features.data(), [&](const WindowBatch& batch) {
    check_();
    feedback_->run(batch, patch_labels + batch.first * patches, pool_);
  });
  return features;
}

}  // namespace vocabseg
