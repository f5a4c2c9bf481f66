#include "cuda/gpu_frame.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "engine_batches.hpp"
#include "region_labels.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::cuda {
namespace {

constexpr size_t kMaxGraphs = 8;

}  // namespace

GpuFrame::GpuFrame(const Manifest& manifest, Engine& engine, const CubinSet& cubins, SharedGpu gpu)
    : manifest_((check_network(manifest, engine), manifest)),
      engine_(engine),
      gpu_(std::move(gpu)),
      launcher_(gpu_, cubins),
      written_(gpu_),
      windows_(manifest, gpu_),
      labels_(manifest, gpu_),
      pooling_(manifest, gpu_),
      features_(gpu_) {
  for (int mark = 0; mark < kMarks; ++mark) marks_.emplace_back(gpu_);
}

template <class Work>
auto GpuFrame::on_device(const Work& work) {
  const CurrentContext current(*gpu_);
  try {
    return work();
  } catch (...) {
    launcher_.stream().settle();  // what is queued may still read the caller's memory
    throw;
  }
}

void GpuFrame::set_vocabulary(const Vocabulary& vocabulary) {
  has_words_ = false;
  const bool ready = std::exchange(labels_ready_, false);
  const bool changed = on_device([&] { return labels_.set_words(vocabulary, launcher_.stream()); });
  labels_ready_ = ready && !changed;
  has_words_ = true;
}

void GpuFrame::prepare(const FramePixels& frame) {
  const kernels::WindowPlan& old = plan_.windows;
  if (old.source_h == frame.height && old.source_w == frame.width) return;
  plan_ = {};
  labels_ready_ = pooling_ready_ = false;
  FramePlan plan = plan_frame(manifest_, frame.height, frame.width);
  windows_.prepare(plan.windows, launcher_.stream());
  features_.reserve(sizeof(float) * static_cast<size_t>(plan.windows.windows()) *
                    static_cast<size_t>(plan.windows.patches()) *
                    static_cast<size_t>(manifest_.embed_dim));
  plan_ = std::move(plan);
}

WindowRuns GpuFrame::runs() const {
  const kernels::WindowPlan& plan = plan_.windows;
  return {int64_t{sizeof(float)} * 3 * plan.padded_h * plan.padded_w,
          int64_t{sizeof(float)} * plan.patches() * manifest_.embed_dim};
}

int64_t GpuFrame::windows_of_run() const {
  const int64_t windows = plan_.windows.windows(), largest = engine_.traits().largest_batch;
  const int64_t most = runs().most(windows, largest);
  if (most > 0) return most;
  const int64_t least = std::min(windows, runs().step());
  throw EngineMismatch("the engine takes " + std::to_string(largest) +
                       " windows at a time, expected " + std::to_string(windows) + " or at least " +
                       std::to_string(least) +
                       "; build it again with `vocabseg build BUNDLE --engine tensorrt --batch " +
                       std::to_string(least) + "`");
}

void GpuFrame::run_engine() {
  windows_of_run();  // says so where the engine takes too few from the start
  const int64_t windows = plan_.windows.windows();
  in_batches(
      windows, [&] { return runs().most(windows, engine_.traits().largest_batch); },
      [&](int64_t first, int64_t count) { run_windows(first, count); });
}

void GpuFrame::run_windows(int64_t first, int64_t count) {
  const WindowRuns each = runs();
  const kernels::WindowPlan& plan = plan_.windows;
  Stream stream{launcher_.stream().handle()};
  engine_.run({{manifest_.image_encoder.input,
                {DType::kFloat32,
                 {count, 3, plan.padded_h, plan.padded_w},
                 windows_.windows() + first * each.window_bytes,
                 Memory::kDevice}}},
              {{manifest_.image_encoder.output,
                {DType::kFloat32,
                 {count, plan.patches(), manifest_.embed_dim},
                 features_.data() + first * each.feature_bytes,
                 Memory::kDevice}}},
              &stream);
}

void GpuFrame::mark(Mark mark) const { launcher_.stream().record(marks_[mark]); }

void GpuFrame::begin(const FramePixels& frame) {
  if (frame.written_on) launcher_.stream().wait_for(frame.written_on->handle, written_);
  mark(kBegan);
  const WindowStage::Source source = windows_.upload(frame, launcher_.stream());
  mark(kUploaded);
  windows_.queue(source, launcher_);
  mark(kPrepared);
}

void GpuFrame::label(const DecodeSettings& settings) {
  run_engine();
  mark(kEncoded);
  labels_.compare(features_.data(), launcher_);
  mark(kCompared);
  labels_.decode(settings, launcher_);
  mark(kAnswered);
  labels_.download(settings, launcher_.stream());
}

// Graphs that no longer fit what the engine was last run with.
void GpuFrame::drop_stale_graphs() {
  const uint64_t state = engine_.state();
  if (std::exchange(engine_state_, state) != state) graphs_.clear();
}

// The first frame with these settings runs without a graph: engines and kernels load with it. So
// does every frame whose windows take runs of two sizes: an engine that changes shapes may do more
// than queue work.
void GpuFrame::run(const DecodeSettings& settings) {
  drop_stale_graphs();
  const auto known = graphs_.find(settings);
  const bool one_shape = plan_.windows.windows() % windows_of_run() == 0;
  if (!engine_.traits().capturable || !one_shape || known == graphs_.end()) {
    label(settings);
    drop_stale_graphs();
    if (graphs_.size() >= kMaxGraphs) graphs_.clear();
    graphs_.emplace(settings, std::nullopt);
    return;
  }
  if (!known->second) known->second = launcher_.stream().capture([&] { label(settings); });
  if (*known->second) {
    launcher_.stream().launch(*known->second);
  } else {
    label(settings);
  }
}

Segmentation GpuFrame::segment(const FramePixels& frame, const SegmentOptions& options) {
  const FramePixels pixels = checked(frame);
  check_method(manifest_, cpu_only_part(manifest_));
  if (!has_words_) throw VocabularyError("no words are set; call set_vocabulary first");
  const DecodeSettings settings{options.scores, options.threshold.value_or(manifest_.threshold),
                                options.logit_scale.value_or(manifest_.logit_scale)};
  StageClock clock;
  Segmentation out;
  out.height = pixels.height, out.width = pixels.width;
  out.backend = engine_.id();
  on_device([&] {
    prepare(pixels);
    if (!labels_ready_) {
      graphs_.clear();
      labels_.prepare(plan_, launcher_.stream());
      labels_ready_ = true;
    }
    begin(pixels);
    run(settings);
    out.timing = finish(clock, {{kUploaded, "upload"},
                                {kPrepared, "preprocess"},
                                {kEncoded, "encode"},
                                {kCompared, "similarity"},
                                {kAnswered, "decode"},
                                {kDone, "download"}});
    labels_.read(settings, out);
  });
  return out;
}

RegionLabels GpuFrame::pool_masks(const FramePixels& frame, const Masks& masks) {
  const FramePixels pixels = checked(frame);
  StageClock clock;
  RegionLabels out;
  out.dim = manifest_.embed_dim;
  out.backend = engine_.id();
  on_device([&] {
    prepare(pixels);
    if (!pooling_ready_) pooling_.prepare(plan_, launcher_.stream());
    pooling_ready_ = true;
    begin(pixels);
    run_engine();
    mark(kEncoded);
    pooling_.queue(features_.data(), masks, launcher_);
    mark(kAnswered);
    pooling_.download(launcher_.stream());
    out.timing = finish(clock, {{kUploaded, "upload"},
                                {kPrepared, "preprocess"},
                                {kEncoded, "encode"},
                                {kAnswered, "pooling"},
                                {kDone, "download"}});
    pooling_.read(out);
  });
  normalize_rows(out.features, static_cast<size_t>(out.dim));
  return out;
}

Timing GpuFrame::finish(StageClock& clock, const std::vector<Stage>& stages) const {
  mark(kDone);
  launcher_.stream().synchronize();
  Timing timing;
  Mark before = kBegan;
  for (const auto& [end, name] : stages) {
    timing.emplace_back(name, marks_[end].since(marks_[std::exchange(before, end)]));
  }
  timing.push_back(clock.finish().back());
  return timing;
}

}  // namespace vocabseg::cuda
