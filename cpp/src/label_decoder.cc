#include "label_decoder.hpp"

#include <algorithm>
#include <numeric>

#include "kernels/label_decoding/label_vote.h"
#include "kernels/pamr/cpu.h"

namespace vocabseg {
namespace {

const PostStep* find(const std::vector<PostStep>& steps, PostStep::Kind kind) {
  const auto it = std::find_if(steps.begin(), steps.end(),
                               [kind](const PostStep& step) { return step.kind == kind; });
  return it == steps.end() ? nullptr : &*it;
}

template <class Label>
class Decoder {
 public:
  Decoder(const DecodeInput& input, const PostStep* pamr, kernels::ThreadPool& pool,
          const std::function<void()>& check)
      : input_(input), pamr_(pamr), pool_(pool), check_(check) {
    if (pamr_) refiner_ = std::make_unique<kernels::Pamr>(input_.image, pamr_->dilations, pool_);
  }

  void run(const kernels::DecodeOptions& options, Label* labels, float* scores) {
    const int queries = static_cast<int>(input_.vocabulary.words.queries.size());
    if (!pamr_) {
      kernels::decode_labels(input_.scores, queries, input_.plan.rows, input_.plan.cols, options,
                             labels, scores, pool_);
      return;
    }
    const int64_t pixels = int64_t{input_.image.height} * input_.image.width;
    kernels::LabelVote vote(pixels, queries, options, scores != nullptr, pool_);
    const int group = std::min(queries, static_cast<int>(kernels::Pamr::kGroup));
    std::vector<float> maps(static_cast<size_t>(group * pixels));
    for (int first = 0; first < queries; first += group) {
      check_();
      const int count = std::min(group, queries - first);
      for (int i = 0; i < count; ++i) {
        kernels::upsample_scores(input_.scores, queries, first + i, input_.plan.rows,
                                 input_.plan.cols, maps.data() + i * pixels, pool_);
      }
      refiner_->refine(maps.data(), count, pamr_->steps);
      for (int i = 0; i < count; ++i) vote.add(first + i, maps.data() + i * pixels);
    }
    vote.finish(labels, scores);
  }

 private:
  const DecodeInput& input_;
  const PostStep* pamr_;
  kernels::ThreadPool& pool_;
  const std::function<void()>& check_;
  std::unique_ptr<kernels::Pamr> refiner_;
};

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
void decode_as(const DecodeInput& input, const std::vector<PostStep>& post_steps,
               kernels::DecodeOptions options, bool want_scores, kernels::ThreadPool& pool,
               const std::function<void()>& check, Segmentation& out) {
  auto& labels = out.labels.emplace<std::vector<Label>>(size_t(out.height) * size_t(out.width));
  if (want_scores) out.scores.resize(labels.size());
  Decoder<Label> decoder(input, find(post_steps, PostStep::Kind::kPamr), pool, check);
  std::vector<uint8_t> enabled;
  if (const PostStep* area = find(post_steps, PostStep::Kind::kAreaThreshold)) {
    kernels::DecodeOptions first = options;
    first.threshold = 0;
    decoder.run(first, labels.data(), nullptr);
    check();
    enabled = large_classes(labels, input.vocabulary.words, area->threshold);
    options.class_enabled = enabled.data();
  }
  decoder.run(options, labels.data(), want_scores ? out.scores.data() : nullptr);
  clear_background(input.vocabulary.words, static_cast<Label>(options.unlabeled), labels);
}

}  // namespace

void decode(const DecodeInput& input, const std::vector<PostStep>& post_steps, float logit_scale,
            float threshold, bool want_scores, kernels::ThreadPool& pool,
            const std::function<void()>& check, Segmentation& out) {
  kernels::DecodeOptions options;
  options.query_to_class = input.vocabulary.words.query_to_class.data();
  options.classes = static_cast<int>(input.vocabulary.words.names.size());
  options.logit_scale = logit_scale;
  options.threshold = threshold;
  const bool narrow = options.classes <= 255;
  options.unlabeled = out.unlabeled = narrow ? 255 : 65535;
  if (narrow) {
    decode_as<uint8_t>(input, post_steps, options, want_scores, pool, check, out);
  } else {
    decode_as<uint16_t>(input, post_steps, options, want_scores, pool, check, out);
  }
}

}  // namespace vocabseg
