#include "cuda/label_stage.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "cuda/frame_tables.hpp"

namespace vocabseg::cuda {
namespace {

// Memory is for so many queries and multiples of it, so that most vocabularies fit the first one's.
constexpr int64_t kQueries = 256;
constexpr size_t kAlignment = 256;

int64_t capacity(int64_t queries) { return (queries + kQueries - 1) / kQueries * kQueries; }

// Queries in the order in which they are compared: by rising class.
std::vector<int32_t> order_of(const std::vector<int32_t>& query_to_class) {
  std::vector<int32_t> order(query_to_class.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return query_to_class[a] < query_to_class[b]; });
  return order;
}

}  // namespace

LabelStage::LabelStage(const Manifest& manifest, const SharedGpu& gpu)
    : manifest_(manifest),
      text_(gpu),
      order_(gpu),
      label_of_(gpu),
      rows_(gpu),
      cols_(gpu),
      similarity_(gpu),
      result_(gpu),
      read_(gpu) {}

bool LabelStage::set_words(const Vocabulary& vocabulary, const DeviceStream& stream) {
  const Words& words = vocabulary.words;
  const auto queries = static_cast<int64_t>(words.query_to_class.size());
  const auto classes = static_cast<int64_t>(words.names.size());
  const bool was_wide = wide();
  const bool changed = queries != queries_ || (classes > 255) != was_wide;
  queries_ = queries, classes_ = classes;
  const std::vector<int32_t> order = order_of(words.query_to_class);
  std::vector<int32_t> label_of;
  for (const int32_t query : order) {
    const int32_t label = words.query_to_class[query];
    const auto& background = words.background;
    const bool named = std::find(background.begin(), background.end(), label) == background.end();
    label_of.push_back(named ? label : static_cast<int32_t>(unlabeled()));
  }
  const auto rows = static_cast<size_t>(capacity(queries));
  text_.reserve(rows * sizeof(float) * static_cast<size_t>(manifest_.embed_dim));
  order_.reserve(rows * sizeof(int32_t));
  label_of_.reserve(rows * sizeof(int32_t));
  stream.fill(text_, vocabulary.embeddings);
  stream.fill(order_, order);
  stream.fill(label_of_, label_of);
  return changed;
}

void LabelStage::prepare(const FramePlan& plan, const DeviceStream& stream) {
  height_ = plan.windows.source_h, width_ = plan.windows.source_w;
  windows_ = plan.windows.windows();
  const int64_t patches = plan.windows.patches(), window = queries_ * patches;
  fill(rows_, plan.rows, static_cast<int64_t>(plan.windows.xs.size()) * window, plan.windows.grid_w,
       stream);
  fill(cols_, plan.cols, window, 1, stream);
  similarity_.reserve(sizeof(float) * static_cast<size_t>(windows_ * capacity(queries_) * patches));
  const size_t bytes = scores_at() + sizeof(float) * static_cast<size_t>(height_ * width_);
  result_.reserve(bytes);
  read_.reserve(bytes);
}

void LabelStage::fill(Axis& axis, const kernels::AxisWeights& weights, int64_t window,
                      int64_t patch, const DeviceStream& stream) {
  const TapTable table = tap_table(weights, window, patch);
  axis.taps = table.taps;
  stream.fill(axis.offset, table.offset);
  stream.fill(axis.weight, table.weight);
}

void LabelStage::download(const DecodeSettings& settings, const DeviceStream& stream) {
  const size_t scores = sizeof(float) * static_cast<size_t>(height_ * width_);
  stream.download(read_.data(), result_.data(),
                  settings.scores ? scores_at() + scores : label_bytes());
}

void LabelStage::compare(const std::byte* features, Launcher& launcher) {
  launcher.launch("patch_text_similarity", "fp32", {{"NORMALIZE", 0}},
                  {{"features", features},
                   {"text", text_.data()},
                   {"scores", similarity_.data()},
                   {"batch", windows_},
                   {"n", int64_t{manifest_.grid_h} * manifest_.grid_w},
                   {"q", queries_},
                   {"d", manifest_.embed_dim}});
}

void LabelStage::decode(const DecodeSettings& settings, Launcher& launcher) {
  const bool probability = settings.scores || settings.threshold > 0;
  launcher.launch(wide() ? "decode_labels_u16" : "decode_labels_u8", "fp32",
                  {{"PROBABILITY", probability ? 1 : 0}},
                  {{"scores", similarity_.data()},
                   {"row_offset", rows_.offset.data()},
                   {"row_weight", rows_.weight.data()},
                   {"col_offset", cols_.offset.data()},
                   {"col_weight", cols_.weight.data()},
                   {"order", order_.data()},
                   {"label_of", label_of_.data()},
                   {"labels", result_.data()},
                   {"probabilities", result_.data() + scores_at()},
                   {"q", queries_},
                   {"enabled", queries_},
                   {"windows", windows_},
                   {"patches", int64_t{manifest_.grid_h} * manifest_.grid_w},
                   {"pixels", height_ * width_},
                   {"h", height_},
                   {"w", width_},
                   {"row_taps", rows_.taps},
                   {"col_taps", cols_.taps},
                   {"unlabeled", unlabeled()},
                   {"logit_scale", settings.logit_scale},
                   {"threshold", settings.threshold}});
}

void LabelStage::read(const DecodeSettings& settings, Segmentation& out) const {
  const auto pixels = static_cast<size_t>(height_ * width_);
  out.unlabeled = static_cast<int>(unlabeled());
  const auto take = [&](auto& labels) {
    labels.resize(pixels);
    std::memcpy(labels.data(), read_.data(), label_bytes());
  };
  if (wide()) {
    take(out.labels.emplace<std::vector<uint16_t>>());
  } else {
    take(out.labels.emplace<std::vector<uint8_t>>());
  }
  if (!settings.scores) return;
  out.scores.resize(pixels);
  std::memcpy(out.scores.data(), read_.data() + scores_at(), pixels * sizeof(float));
}

size_t LabelStage::label_bytes() const {
  return static_cast<size_t>(height_ * width_) * (wide() ? 2 : 1);
}

// As if labels were wide, so that words change nothing of it.
size_t LabelStage::scores_at() const {
  const size_t bytes = 2 * static_cast<size_t>(height_ * width_);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace vocabseg::cuda
