#include "feedback.hpp"

#include <cstddef>
#include <numeric>
#include <utility>

#include "engine_batches.hpp"
#include "kernels/patch_text_similarity/cpu.h"
#include "kernels/same_region/cpu.h"
#include "refined_labels.hpp"

namespace vocabseg {
namespace {

// So many rows of float32 views on the host.
TensorMap rows_of(TensorMap views, int64_t first, int64_t count) {
  for (auto& [name, view] : views) {
    int64_t row = 1;
    for (size_t i = 1; i < view.shape.size(); ++i) row *= view.shape[i];
    view.data = static_cast<float*>(view.data) + first * row;
    view.shape[0] = count;
  }
  return views;
}

}  // namespace

FeedbackPass::FeedbackPass(const Bundle& bundle, std::unique_ptr<Engine> engine)
    : manifest_(bundle.manifest()),
      step_(manifest_.post_steps.feedback.value()),
      engine_(std::move(engine)) {
  const auto plan = kernels::single_window(manifest_.window.height, manifest_.window.width,
                                           manifest_.grid_h, manifest_.grid_w);
  rows_ = kernels::row_weights(plan);
  cols_ = kernels::col_weights(plan);
}

void FeedbackPass::run(const WindowBatch& batch, const kernels::PackedMatrix& text, int queries,
                       kernels::ThreadPool& pool, const std::function<void()>& check) {
  const int64_t patches = int64_t{manifest_.grid_h} * manifest_.grid_w;
  const int64_t pixels = int64_t{3} * manifest_.window.height * manifest_.window.width;
  std::vector<float> scores(static_cast<size_t>(batch.count * queries * patches));
  kernels::patch_text_similarity(
      {batch.features, kernels::FloatType::kFloat32, batch.count, patches, manifest_.embed_dim},
      text, false, scores.data(), pool);
  std::vector<int32_t> labels;
  for (int64_t w = 0; w < batch.count; ++w) {
    const auto of_window = patch_labels(
        batch.windows + w * pixels, scores.data() + w * queries * patches, queries, pool, check);
    labels.insert(labels.end(), of_window.begin(), of_window.end());
  }
  run(batch, labels.data(), pool);
}

void FeedbackPass::run(const WindowBatch& batch, const int32_t* patch_labels,
                       kernels::ThreadPool& pool) {
  const int64_t patches = int64_t{manifest_.grid_h} * manifest_.grid_w;
  shared_.resize(static_cast<size_t>(batch.count * patches * patches));
  for (int64_t w = 0; w < batch.count; ++w) {
    kernels::same_region(patch_labels + w * patches, manifest_.grid_h, manifest_.grid_w,
                         {step_.connected, step_.strict}, shared_.data() + w * patches * patches,
                         pool);
  }
  const EncoderSpec& encoder = *manifest_.feedback_encoder;
  TensorMap inputs = batch.extra;
  inputs[encoder.input] = {DType::kFloat32, {batch.count, patches, patches}, shared_.data()};
  const TensorMap outputs = {
      {encoder.output,
       {DType::kFloat32, {batch.count, patches, manifest_.embed_dim}, batch.features}}};
  in_batches(*engine_, batch.count, batch.count, [&](int64_t first, int64_t count) {
    engine_->run(rows_of(inputs, first, count), rows_of(outputs, first, count), nullptr);
  });
}

std::vector<int32_t> FeedbackPass::patch_labels(const float* window, const float* scores,
                                                int queries, kernels::ThreadPool& pool,
                                                const std::function<void()>& check) {
  const int height = manifest_.window.height, width = manifest_.window.width;
  kernels::DecodeOptions options;
  options.classes = queries;
  options.logit_scale = step_.logit_scale;
  options.threshold = step_.threshold;
  options.unlabeled = 0;
  std::vector<int32_t> each(static_cast<size_t>(queries));
  std::iota(each.begin(), each.end(), 0);
  options.query_to_class = each.data();
  std::vector<uint16_t> labels(static_cast<size_t>(height) * width);
  if (step_.refinement.steps > 0) {
    kernels::Pamr refiner(window, height, width, step_.refinement.dilations, pool);
    decode_refined(scores, queries, rows_, cols_, refiner, step_.refinement.steps, options,
                   labels.data(), nullptr, pool, check);
  } else {
    kernels::decode_labels(scores, queries, rows_, cols_, options, labels.data(), nullptr, pool);
  }
  std::vector<int32_t> patches(static_cast<size_t>(manifest_.grid_h) * manifest_.grid_w);
  kernels::patch_majority(labels.data(), height, width, queries, manifest_.grid_h, manifest_.grid_w,
                          patches.data(), pool);
  return patches;
}

}  // namespace vocabseg
