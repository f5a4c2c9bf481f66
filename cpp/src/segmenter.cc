#include "vocabseg/segmenter.hpp"

#include <atomic>
#include <mutex>

#include "checks.hpp"
#include "embedding.hpp"
#include "feature_map.hpp"
#include "frame_pipeline.hpp"
#include "gpu_segmenter.hpp"
#include "label_decoder.hpp"
#include "region_labels.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg {
struct Segmenter::Impl {
  Bundle bundle;
  Settings settings;
  std::string reason;
  std::atomic<bool> cancelled{false};
  const std::function<void()> check_cancelled = [this] {
    if (cancelled) throw Cancelled("the call was cancelled");
  };

  std::mutex frames;  // one frame at a time: guards the pipeline
  FramePipeline pipeline;

  std::string why_not_gpu;
  std::unique_ptr<GpuSegmenter> gpu;  // null where frames run on the CPU around the engine

  std::mutex words;  // guards the pointer; the vocabulary itself never changes
  std::shared_ptr<const Vocabulary> vocabulary;

  Impl(const Bundle& b, Engines engines, Settings s, std::string why)
      : bundle(b),
        settings(std::move(s)),
        reason(std::move(why)),
        pipeline(bundle, std::move(engines), settings.threads, check_cancelled),
        gpu(make_gpu_segmenter(bundle.manifest(), pipeline.encoder().engine(), settings,
                               why_not_gpu)) {
    log(Level::kInfo, "engine " + backend() + " (" + reason + "), " +
                          std::to_string(pipeline.pool().threads()) + " threads, frames on the " +
                          (gpu ? "GPU" : "CPU: " + why_not_gpu));
  }

  void log(Level level, const std::string& message) const {
    if (settings.log) settings.log(level, message);
  }

  std::string backend() const { return pipeline.encoder().engine().id(); }

  std::shared_ptr<const Vocabulary> current_vocabulary() {
    const std::lock_guard lock(words);
    return vocabulary;
  }

  std::shared_ptr<const Vocabulary> require_vocabulary() {
    auto current = current_vocabulary();
    if (!current) throw VocabularyError("no words are set; call set_vocabulary first");
    return current;
  }

  void require_gpu() const {
    if (gpu) return;
    throw BackendUnavailable("frames of this segmenter do not run on the GPU: " + why_not_gpu +
                             "; give an RGB image in host memory");
  }

  // The class of every mask, from what `pool` gives.
  template <class Pool>
  RegionLabels classify(const Pool& pool) {
    const std::lock_guard lock(frames);
    const auto current = require_vocabulary();
    StageClock clock;
    RegionLabels out = pool(clock, *current);
    check_cancelled();
    out.timing.empty() ? clock.stop("pooling") : clock.stop(out.timing);
    classify_regions(*current, bundle.manifest().logit_scale, pipeline.pool(), out);
    clock.stop("similarity");
    out.timing = clock.finish();
    return out;
  }

  const float* encode(const kernels::ImageView& image, const FrameNeeds& needs, StageClock& clock) {
    cancelled = false;
    const kernels::WindowPlan& plan = pipeline.plan().windows;
    const bool new_size = plan.source_h != image.height || plan.source_w != image.width;
    const float* features = pipeline.encode(image, needs, clock);
    if (new_size) {
      log(Level::kDebug, "an image of " + size_text(image.height, image.width) + " makes " +
                             std::to_string(plan.windows()) + " windows");
    }
    return features;
  }
};

namespace {

Engines make_engines(const Bundle& bundle, const Settings& settings) {
  Engines engines;
  engines.image = make_engine(bundle, "image", settings);
  if (bundle.manifest().feedback_encoder) {
    engines.feedback = make_engine(bundle, "feedback", settings);
  }
  return engines;
}

}  // namespace

Segmenter::Segmenter(const Bundle& bundle, const Settings& settings)
    : impl_(std::make_unique<Impl>(bundle, make_engines(bundle, settings), settings,
                                   choose_backend(bundle, "image", settings).reason)) {}

Segmenter::Segmenter(const Bundle& bundle, Engines engines, const Settings& settings)
    : impl_(std::make_unique<Impl>(bundle, std::move(engines), settings, "given by the caller")) {}

Segmenter::~Segmenter() = default;
Segmenter::Segmenter(Segmenter&&) noexcept = default;
Segmenter& Segmenter::operator=(Segmenter&&) noexcept = default;

void Segmenter::set_vocabulary(const std::vector<std::string>& entries) {
  set_vocabulary(embed(impl_->bundle, parse_vocabulary(entries), impl_->settings));
}

void Segmenter::set_vocabulary(const Vocabulary& vocabulary) {
  check_vocabulary(vocabulary, impl_->pipeline.encoder().dim());
  auto shared = std::make_shared<const Vocabulary>(vocabulary);
  const std::lock_guard lock(impl_->words);
  impl_->vocabulary = std::move(shared);
}

Segmentation Segmenter::segment(const ImageView& image, const SegmentOptions& options) {
  const kernels::ImageView view = checked_view(image);
  if (impl_->gpu && cuda::readable(image)) return segment(cuda::pixels_of(image), options);
  const std::lock_guard lock(impl_->frames);
  const auto vocabulary = impl_->require_vocabulary();
  const Manifest& manifest = impl_->bundle.manifest();
  StageClock clock;
  Segmentation out;
  out.height = image.height, out.width = image.width;
  out.backend = impl_->backend();
  const PostSteps& steps = manifest.post_steps;
  const bool vote = steps.segment_vote.has_value();
  const float* features = impl_->encode(view, {vocabulary.get(), vote, steps.class_token}, clock);
  const float* scores = impl_->pipeline.compare(features, *vocabulary);
  clock.stop("similarity");
  SegmentMap segments;
  if (vote) {
    segments = impl_->pipeline.segments();
    clock.stop("segments");
  }
  decode({view, impl_->pipeline.plan(), *vocabulary, scores, vote ? &segments : nullptr}, steps,
         options.logit_scale.value_or(manifest.logit_scale),
         options.threshold.value_or(manifest.threshold), options.scores, impl_->pipeline.pool(),
         impl_->check_cancelled, out);
  clock.stop("decode");
  out.timing = clock.finish();
  return out;
}

Segmentation Segmenter::segment(const FramePixels& frame, const SegmentOptions& options) {
  impl_->require_gpu();
  const std::lock_guard lock(impl_->frames);
  return impl_->gpu->segment(frame, impl_->require_vocabulary(), options);
}

RegionLabels Segmenter::classify_masks(const ImageView& image, const Masks& masks) {
  const kernels::ImageView view = checked_view(image);
  check_masks(masks, image.height, image.width);
  if (impl_->gpu && cuda::readable(image)) return classify_masks(cuda::pixels_of(image), masks);
  return impl_->classify([&](StageClock& clock, const Vocabulary& vocabulary) {
    RegionLabels out;
    out.dim = impl_->pipeline.encoder().dim();
    out.backend = impl_->backend();
    const float* features = impl_->encode(view, {&vocabulary}, clock);
    pool_masks(features, impl_->pipeline.plan(), masks, impl_->pipeline.pool(), out);
    return out;
  });
}

RegionLabels Segmenter::classify_masks(const FramePixels& frame, const Masks& masks) {
  impl_->require_gpu();
  check_masks(masks, frame.height, frame.width);
  return impl_->classify([&](StageClock&, const Vocabulary&) {
    impl_->cancelled = false;
    return impl_->gpu->pool_masks(frame, masks);
  });
}

FeatureMap Segmenter::features(const ImageView& image) {
  const kernels::ImageView view = checked_view(image);
  const std::lock_guard lock(impl_->frames);
  const auto vocabulary =
      impl_->pipeline.has_feedback() ? impl_->require_vocabulary() : impl_->current_vocabulary();
  StageClock clock;
  const float* features = impl_->encode(view, {vocabulary.get()}, clock);
  return merge_windows(features, impl_->pipeline.plan().windows,
                       impl_->bundle.manifest().patch_size, impl_->pipeline.encoder().dim(),
                       impl_->pipeline.pool());
}

Segments Segmenter::segments(const ImageView& image) {
  const Manifest& manifest = impl_->bundle.manifest();
  if (!manifest.post_steps.segment_vote) {
    throw BundleError("bundle " + impl_->bundle.folder().string() + " with the method " +
                      manifest.method +
                      " makes no segments; export one with "
                      "`vocabseg export MODEL --method cliptrase --out FOLDER`");
  }
  const kernels::ImageView view = checked_view(image);
  const std::lock_guard lock(impl_->frames);
  StageClock clock;
  FrameNeeds needs;
  needs.segments = true;
  impl_->encode(view, needs, clock);
  SegmentMap map = impl_->pipeline.segments();
  clock.stop("segments");
  return {image.height, image.width, map.count, std::move(map.ids), backend(), clock.finish()};
}

std::vector<float> Segmenter::encode_windows(const float* windows, int64_t count) {
  const std::lock_guard lock(impl_->frames);
  impl_->cancelled = false;
  return impl_->pipeline.encode_windows(windows, count);
}

std::vector<float> Segmenter::encode_feedback(const float* windows, const int32_t* patch_labels,
                                              int64_t count) {
  const std::lock_guard lock(impl_->frames);
  impl_->cancelled = false;
  return impl_->pipeline.encode_feedback(windows, patch_labels, count);
}

void Segmenter::cancel() { impl_->cancelled = true; }

FrameGeometry Segmenter::geometry(int height, int width) const {
  check_size(height, width);
  const kernels::WindowPlan plan = impl_->pipeline.encoder().plan(height, width).windows;
  FrameGeometry out;
  out.net_h = plan.net_h, out.net_w = plan.net_w;
  out.window_h = plan.window_h, out.window_w = plan.window_w;
  out.padded_h = plan.padded_h, out.padded_w = plan.padded_w;
  out.pad_top = plan.pad_top, out.pad_left = plan.pad_left;
  out.ys = plan.ys, out.xs = plan.xs;
  out.grid_h = plan.grid_h, out.grid_w = plan.grid_w;
  return out;
}

const Manifest& Segmenter::manifest() const { return impl_->bundle.manifest(); }
std::string Segmenter::backend() const { return impl_->backend(); }
std::string Segmenter::backend_reason() const { return impl_->reason; }

Words Segmenter::words() const {
  const auto vocabulary = impl_->current_vocabulary();
  return vocabulary ? vocabulary->words : Words{};
}

int Segmentation::label(int y, int x) const {
  const size_t index = static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x);
  return std::visit([index](const auto& values) { return static_cast<int>(values.at(index)); },
                    labels);
}

}  // namespace vocabseg
