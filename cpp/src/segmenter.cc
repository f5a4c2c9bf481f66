#include "vocabseg/segmenter.hpp"

#include <atomic>
#include <mutex>

#include "checks.hpp"
#include "embedding.hpp"
#include "feature_map.hpp"
#include "frame_encoder.hpp"
#include "kernels/patch_text_similarity/cpu.h"
#include "label_decoder.hpp"
#include "region_labels.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg {
struct Segmenter::Impl {
  Bundle bundle;
  Settings settings;
  std::string reason;
  FrameEncoder encoder;
  kernels::ThreadPool pool;

  std::mutex frames;  // one frame at a time: guards what follows
  FramePlan plan;     // of the last frame's size
  std::vector<float> similarity;

  std::mutex words;  // guards the pointer; the vocabulary itself never changes
  std::shared_ptr<const Vocabulary> vocabulary;

  std::atomic<bool> cancelled{false};
  const std::function<void()> check_cancelled = [this] {
    if (cancelled) throw Cancelled("the call was cancelled");
  };

  Impl(const Bundle& b, std::unique_ptr<Engine> engine, Settings s, std::string why)
      : bundle(b),
        settings(std::move(s)),
        reason(std::move(why)),
        encoder(bundle, std::move(engine)),
        pool(settings.threads) {
    log(Level::kInfo, "engine " + encoder.engine().id() + " (" + reason + "), " +
                          std::to_string(pool.threads()) + " threads");
  }

  void log(Level level, const std::string& message) const {
    if (settings.log) settings.log(level, message);
  }

  std::shared_ptr<const Vocabulary> current_vocabulary() {
    const std::lock_guard lock(words);
    return vocabulary;
  }

  std::shared_ptr<const Vocabulary> require_vocabulary() {
    auto current = current_vocabulary();
    if (!current) throw VocabularyError("no words are set; call set_vocabulary first");
    return current;
  }

  const float* encode(const kernels::ImageView& image, StageClock& clock) {
    cancelled = false;
    if (plan.windows.source_h != image.height || plan.windows.source_w != image.width) {
      plan = encoder.plan(image.height, image.width);
      log(Level::kDebug, "an image of " + size_text(image.height, image.width) + " makes " +
                             std::to_string(plan.windows.windows()) + " windows");
    }
    return encoder.encode(image, plan, pool, clock, check_cancelled);
  }

  // Cosines [windows, queries, patches].
  const float* compare(const float* features, const Vocabulary& words) {
    const auto queries = static_cast<int64_t>(words.words.queries.size());
    const int64_t patches = encoder.patches(), windows = plan.windows.windows();
    similarity.resize(static_cast<size_t>(windows * queries * patches));
    const kernels::Patches patches_of_frame{features, kernels::FloatType::kFloat32, windows,
                                            patches, encoder.dim()};
    const auto text = kernels::PackedMatrix::pack_transposed(words.embeddings.data(), encoder.dim(),
                                                             encoder.dim(), queries, pool);
    kernels::patch_text_similarity(patches_of_frame, text, false, similarity.data(), pool);
    check_cancelled();
    return similarity.data();
  }
};

Segmenter::Segmenter(const Bundle& bundle, const Settings& settings)
    : impl_(std::make_unique<Impl>(
          bundle,
          make_engine(bundle.file(bundle.manifest().image_encoder.variants.at("float32")),
                      settings),
          settings, choose_backend(settings.backend).reason)) {}

Segmenter::Segmenter(const Bundle& bundle, std::unique_ptr<Engine> image_engine,
                     const Settings& settings)
    : impl_(std::make_unique<Impl>(bundle, std::move(image_engine), settings,
                                   "given by the caller")) {}

Segmenter::~Segmenter() = default;
Segmenter::Segmenter(Segmenter&&) noexcept = default;
Segmenter& Segmenter::operator=(Segmenter&&) noexcept = default;

void Segmenter::set_vocabulary(const std::vector<std::string>& entries) {
  set_vocabulary(embed(impl_->bundle, parse_vocabulary(entries), impl_->settings));
}

void Segmenter::set_vocabulary(const Vocabulary& vocabulary) {
  check_vocabulary(vocabulary, impl_->encoder.dim());
  auto shared = std::make_shared<const Vocabulary>(vocabulary);
  const std::lock_guard lock(impl_->words);
  impl_->vocabulary = std::move(shared);
}

Segmentation Segmenter::segment(const ImageView& image, const SegmentOptions& options) {
  const kernels::ImageView view = checked_view(image);
  const std::lock_guard lock(impl_->frames);
  const auto vocabulary = impl_->require_vocabulary();
  const Manifest& manifest = impl_->bundle.manifest();
  StageClock clock;
  Segmentation out;
  out.height = image.height, out.width = image.width;
  out.backend = impl_->encoder.engine().id();
  const float* features = impl_->encode(view, clock);
  const float* scores = impl_->compare(features, *vocabulary);
  clock.stop("similarity");
  decode({view, impl_->plan, *vocabulary, scores}, manifest.post_steps,
         options.logit_scale.value_or(manifest.logit_scale),
         options.threshold.value_or(manifest.threshold), options.scores, impl_->pool,
         impl_->check_cancelled, out);
  clock.stop("decode");
  out.timing = clock.finish();
  return out;
}

RegionLabels Segmenter::classify_masks(const ImageView& image, const Masks& masks) {
  const kernels::ImageView view = checked_view(image);
  check_masks(masks, image);
  const std::lock_guard lock(impl_->frames);
  const auto vocabulary = impl_->require_vocabulary();
  StageClock clock;
  RegionLabels out;
  out.dim = impl_->encoder.dim();
  out.backend = impl_->encoder.engine().id();
  const float* features = impl_->encode(view, clock);
  pool_masks(features, impl_->plan, masks, impl_->pool, out);
  impl_->check_cancelled();
  clock.stop("pooling");
  classify_regions(*vocabulary, impl_->bundle.manifest().logit_scale, impl_->pool, out);
  clock.stop("similarity");
  out.timing = clock.finish();
  return out;
}

FeatureMap Segmenter::features(const ImageView& image) {
  const kernels::ImageView view = checked_view(image);
  const std::lock_guard lock(impl_->frames);
  StageClock clock;
  const float* features = impl_->encode(view, clock);
  return merge_windows(features, impl_->plan.windows, impl_->bundle.manifest().patch_size,
                       impl_->encoder.dim(), impl_->pool);
}

std::vector<float> Segmenter::encode_windows(const float* windows, int64_t count) {
  const std::lock_guard lock(impl_->frames);
  impl_->cancelled = false;
  std::vector<float> features(
      static_cast<size_t>(count * impl_->encoder.patches() * impl_->encoder.dim()));
  impl_->encoder.run_engine(windows, count, features.data(), impl_->check_cancelled);
  return features;
}

void Segmenter::cancel() { impl_->cancelled = true; }

FrameGeometry Segmenter::geometry(int height, int width) const {
  check_size(height, width);
  const kernels::WindowPlan plan = impl_->encoder.plan(height, width).windows;
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
std::string Segmenter::backend() const { return impl_->encoder.engine().id(); }
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
