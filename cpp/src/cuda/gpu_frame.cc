#include "cuda/gpu_frame.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "region_labels.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::cuda {
namespace {

constexpr int64_t kAlignment = 256;  // of the views that an engine takes
constexpr size_t kMaxGraphs = 8;

[[noreturn]] void no_gpu_version(const Manifest& manifest, const std::string& what) {
  throw BackendUnavailable("the method " + manifest.method + " needs " + what +
                           ", which has no GPU version; use a backend on the CPU for it");
}

// What of the network's part of the method has no GPU version.
std::string cpu_only_network(const Manifest& manifest) {
  const PostSteps& steps = manifest.post_steps;
  if (steps.feedback) return "the step feedback";
  if (steps.segment_vote) return "the step segment_vote";
  if (steps.class_token) return "the step class_token";
  return manifest.image_encoder.extra_outputs.empty() ? "" : "further outputs of the image encoder";
}

void check_network(const Manifest& manifest, const Engine& engine) {
  const std::string missing = cpu_only_network(manifest);
  if (!missing.empty()) no_gpu_version(manifest, missing);
  if (!engine.traits().device_memory) {
    throw BackendUnavailable("the engine " + engine.id() +
                             " takes no device memory; build one with `vocabseg build BUNDLE "
                             "--engine tensorrt`");
  }
  if (manifest.embed_dim % 16 != 0) {
    throw BackendUnavailable("the bundle's features are " + std::to_string(manifest.embed_dim) +
                             " wide, expected a multiple of 16 for a GPU");
  }
}

// Windows of a run: all, or as many as the engine takes and leave every run's memory aligned.
int64_t windows_of_run(int64_t windows, int64_t largest, int64_t window_bytes,
                       int64_t feature_bytes) {
  if (largest == 0 || largest >= windows) return windows;
  const int64_t step = std::max(kAlignment / std::gcd(kAlignment, window_bytes),
                                kAlignment / std::gcd(kAlignment, feature_bytes));
  if (largest >= step) return largest / step * step;
  throw EngineError("the engine takes " + std::to_string(largest) +
                    " windows at a time, expected " + std::to_string(windows) + " or at least " +
                    std::to_string(step) +
                    "; build it again with `vocabseg build BUNDLE --engine tensorrt --batch " +
                    std::to_string(std::min(windows, step)) + "`");
}

}  // namespace

std::string cpu_only_part(const Manifest& manifest) {
  if (manifest.post_steps.area_threshold) return "the step area_threshold";
  if (manifest.post_steps.pamr) return "the step pamr";
  return cpu_only_network(manifest);
}

GpuFrame::GpuFrame(const Manifest& manifest, Engine& engine, const CubinSet& cubins, SharedGpu gpu)
    : manifest_((check_network(manifest, engine), manifest)),
      engine_(engine),
      gpu_(std::move(gpu)),
      launcher_(gpu_, cubins),
      written_(gpu_),
      began_(gpu_),
      prepared_(gpu_),
      done_(gpu_),
      windows_(manifest, gpu_),
      labels_(manifest, gpu_),
      pooling_(manifest, gpu_),
      features_(gpu_) {}

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

GpuFrame::Runs GpuFrame::runs() const {
  const kernels::WindowPlan& plan = plan_.windows;
  Runs runs{};
  runs.window_bytes = int64_t{sizeof(float)} * 3 * plan.padded_h * plan.padded_w;
  runs.feature_bytes = int64_t{sizeof(float)} * plan.patches() * manifest_.embed_dim;
  runs.most = windows_of_run(plan.windows(), engine_.traits().largest_batch, runs.window_bytes,
                             runs.feature_bytes);
  return runs;
}

void GpuFrame::run_engine() {
  const int64_t windows = plan_.windows.windows(), patches = plan_.windows.patches();
  const int64_t height = plan_.windows.padded_h, width = plan_.windows.padded_w;
  const auto [window_bytes, feature_bytes, most] = runs();
  Stream stream{launcher_.stream().handle()};
  for (int64_t first = 0; first < windows; first += most) {
    const int64_t n = std::min(most, windows - first);
    engine_.run({{manifest_.image_encoder.input,
                  {DType::kFloat32,
                   {n, 3, height, width},
                   windows_.windows() + first * window_bytes,
                   Memory::kDevice}}},
                {{manifest_.image_encoder.output,
                  {DType::kFloat32,
                   {n, patches, manifest_.embed_dim},
                   features_.data() + first * feature_bytes,
                   Memory::kDevice}}},
                &stream);
  }
}

void GpuFrame::begin(const FramePixels& frame) {
  prepare(frame);
  if (frame.written_on) launcher_.stream().wait_for(frame.written_on->handle, written_);
  launcher_.stream().record(began_);
  windows_.queue(frame, launcher_);
  launcher_.stream().record(prepared_);
}

// The first frame with these settings runs without a graph: engines and kernels load with it. So
// does every frame whose windows take runs of two sizes: an engine that changes shapes may do more
// than queue work.
void GpuFrame::run(const DecodeSettings& settings) {
  const auto queue = [&] {
    run_engine();
    labels_.queue(features_.data(), settings, launcher_);
  };
  const auto known = graphs_.find(settings);
  const bool one_shape = plan_.windows.windows() % runs().most == 0;
  if (!engine_.traits().capturable || !one_shape || known == graphs_.end()) {
    queue();
    if (graphs_.size() >= kMaxGraphs) graphs_.clear();
    graphs_.emplace(settings, std::nullopt);
    return;
  }
  if (!known->second) known->second = launcher_.stream().capture(queue);
  if (*known->second) {
    launcher_.stream().launch(*known->second);
  } else {
    queue();
  }
}

Segmentation GpuFrame::segment(const FramePixels& frame, const SegmentOptions& options) {
  const FramePixels pixels = checked(frame);
  const std::string missing = cpu_only_part(manifest_);
  if (!missing.empty()) no_gpu_version(manifest_, missing);
  if (!has_words_) throw VocabularyError("no words are set; call set_vocabulary first");
  const DecodeSettings settings{options.scores, options.threshold.value_or(manifest_.threshold),
                                options.logit_scale.value_or(manifest_.logit_scale)};
  StageClock clock;
  Segmentation out;
  out.height = pixels.height, out.width = pixels.width;
  out.backend = engine_.id();
  on_device([&] {
    begin(pixels);
    if (!labels_ready_) {
      graphs_.clear();
      labels_.prepare(plan_, launcher_.stream());
      labels_ready_ = true;
    }
    run(settings);
    out.timing = finish(clock);
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
    begin(pixels);
    if (!pooling_ready_) pooling_.prepare(plan_, launcher_.stream());
    pooling_ready_ = true;
    run_engine();
    pooling_.queue(features_.data(), masks, launcher_);
    out.timing = finish(clock);
    pooling_.read(out);
  });
  normalize_rows(out.features, static_cast<size_t>(out.dim));
  return out;
}

Timing GpuFrame::finish(StageClock& clock) const {
  launcher_.stream().record(done_);
  launcher_.stream().synchronize();
  Timing timing = {{"preprocess", prepared_.since(began_)}, {"network", done_.since(prepared_)}};
  timing.push_back(clock.finish().back());
  return timing;
}

}  // namespace vocabseg::cuda
