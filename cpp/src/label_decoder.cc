#include "label_decoder.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

#include "kernels/label_decoding/region_vote.h"
#include "kernels/mask_pooling/cpu.h"
#include "kernels/pamr/cpu.h"
#include "refined_labels.hpp"

namespace vocabseg {
namespace {

template <class Label>
class Decoder {
 public:
  Decoder(const DecodeInput& input, const PostSteps& steps, kernels::ThreadPool& pool,
          const std::function<void()>& check)
      : input_(input), steps_(steps), pool_(pool), check_(check) {
    if (steps.pamr) refiner_.emplace(input.image, steps.pamr->dilations, pool);
  }

  void run(const kernels::DecodeOptions& options, Label* labels, float* scores) {
    const int queries = static_cast<int>(input_.vocabulary.words.queries.size());
    const kernels::AxisWeights &rows = input_.plan.rows, &cols = input_.plan.cols;
    if (refiner_) {
      decode_refined(input_.scores, queries, rows, cols, *refiner_, steps_.pamr->steps, options,
                     labels, scores, pool_, check_);
    } else {
      kernels::decode_labels(input_.scores, queries, rows, cols, options, labels, scores, pool_);
    }
  }

  // One label per segment; pixels of none keep theirs.
  void vote(const kernels::DecodeOptions& options, Label* labels, float* scores) {
    const SegmentMap& segments = *input_.segments;
    if (steps_.segment_vote->rule == SegmentVote::Rule::kMean) {
      label_by_mean(options, labels, scores);
    } else {
      kernels::vote_regions(segments.ids.data(), static_cast<int64_t>(segments.ids.size()),
                            options.classes, options.unlabeled, labels, scores);
    }
  }

 private:
  void label_by_mean(const kernels::DecodeOptions& options, Label* labels, float* scores);

  const DecodeInput& input_;
  const PostSteps& steps_;
  kernels::ThreadPool& pool_;
  const std::function<void()>& check_;
  std::optional<kernels::Pamr> refiner_;
};

// [count, rows, cols] -> [count, cols, rows]
std::vector<float> transposed(const float* values, int64_t count, int64_t rows, int64_t cols) {
  std::vector<float> out(static_cast<size_t>(count * rows * cols));
  for (int64_t i = 0; i < count; ++i, values += rows * cols) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) out[(i * cols + c) * rows + r] = values[r * cols + c];
    }
  }
  return out;
}

// Scores of every query are averaged over a segment, as features are over a mask; means are then
// decoded like the pixels of a line.
template <class Label>
void Decoder<Label>::label_by_mean(const kernels::DecodeOptions& options, Label* labels,
                                   float* scores) {
  const SegmentMap& segments = *input_.segments;
  const auto queries = static_cast<int64_t>(input_.vocabulary.words.queries.size());
  const kernels::WindowPlan& windows = input_.plan.windows;
  const auto by_patch = transposed(input_.scores, windows.windows(), queries, windows.patches());
  const auto count = static_cast<size_t>(segments.count);
  std::vector<float> means(count * static_cast<size_t>(queries));
  std::vector<int64_t> area(count);
  kernels::mask_pool({by_patch.data(), kernels::FloatType::kFloat32, queries},
                     kernels::LabelMap{segments.ids.data(), segments.count}, {}, input_.plan.rows,
                     input_.plan.cols, means.data(), area.data(), pool_);
  const auto line = kernels::single_window(1, static_cast<int>(segments.count), 1,
                                           static_cast<int>(segments.count));
  const auto by_query = transposed(means.data(), 1, segments.count, queries);
  std::vector<Label> label(count);
  std::vector<float> score(count);
  kernels::decode_labels(by_query.data(), static_cast<int>(queries), kernels::row_weights(line),
                         kernels::col_weights(line), options, label.data(), score.data(), pool_);
  for (size_t i = 0; i < segments.ids.size(); ++i) {
    if (segments.ids[i] < 0) continue;
    labels[i] = label[segments.ids[i]];
    if (scores) scores[i] = score[segments.ids[i]];
  }
}

// SCLIP's area threshold: a foreground class that wins at most this share of the foreground's
// pixels is switched off.
template <class Label>
std::vector<uint8_t> large_classes(const std::vector<Label>& labels, const Words& words,
                                   float threshold) {
  std::vector<int64_t> counts(words.names.size(), 0);
  for (const Label label : labels) {
    if (label < counts.size()) ++counts[label];
  }
  std::vector<uint8_t> enabled(counts.size(), 1);
  for (const int32_t index : words.background) counts[index] = 0;
  const auto total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  for (size_t i = 0; i < counts.size(); ++i) {
    enabled[i] = static_cast<double>(counts[i]) > double{threshold} * static_cast<double>(total);
  }
  for (const int32_t index : words.background) enabled[index] = 1;
  return enabled;
}

template <class Label>
void clear_background(const Words& words, Label unlabeled, std::vector<Label>& labels) {
  if (words.background.empty()) return;
  std::vector<Label> map(size_t{unlabeled} + 1);
  std::iota(map.begin(), map.end(), Label{0});
  for (const int32_t index : words.background) map[index] = unlabeled;
  for (Label& label : labels) label = map[label];
}

template <class Label>
void decode_as(const DecodeInput& input, const PostSteps& steps, kernels::DecodeOptions options,
               bool want_scores, kernels::ThreadPool& pool, const std::function<void()>& check,
               Segmentation& out) {
  auto& labels = out.labels.emplace<std::vector<Label>>(size_t(out.height) * size_t(out.width));
  if (want_scores) out.scores.resize(labels.size());
  float* scores = want_scores ? out.scores.data() : nullptr;
  Decoder<Label> decoder(input, steps, pool, check);
  std::vector<uint8_t> enabled;
  if (steps.area_threshold) {
    kernels::DecodeOptions first = options;
    first.threshold = 0;
    decoder.run(first, labels.data(), nullptr);
    check();
    enabled = large_classes(labels, input.vocabulary.words, steps.area_threshold->threshold);
    options.class_enabled = enabled.data();
  }
  decoder.run(options, labels.data(), scores);
  if (input.segments && input.segments->count > 0) decoder.vote(options, labels.data(), scores);
  clear_background(input.vocabulary.words, static_cast<Label>(options.unlabeled), labels);
}

}  // namespace

void decode(const DecodeInput& input, const PostSteps& steps, float logit_scale, float threshold,
            bool want_scores, kernels::ThreadPool& pool, const std::function<void()>& check,
            Segmentation& out) {
  kernels::DecodeOptions options;
  options.query_to_class = input.vocabulary.words.query_to_class.data();
  options.classes = static_cast<int>(input.vocabulary.words.names.size());
  options.logit_scale = logit_scale;
  options.threshold = threshold;
  const bool narrow = options.classes <= 255;
  options.unlabeled = out.unlabeled = narrow ? 255 : 65535;
  if (narrow) {
    decode_as<uint8_t>(input, steps, options, want_scores, pool, check, out);
  } else {
    decode_as<uint16_t>(input, steps, options, want_scores, pool, check, out);
  }
}

}  // namespace vocabseg
