#include "cuda/gpu_limits.hpp"

#include <algorithm>
#include <numeric>

#include "vocabseg/error.hpp"

namespace vocabseg::cuda {
namespace {

constexpr int64_t kAlignment = 256;  // of the views that an engine takes

// What of the network's part of the method has no GPU version.
std::string cpu_only_network(const Manifest& manifest) {
  const PostSteps& steps = manifest.post_steps;
  if (steps.feedback) return "the step feedback";
  if (steps.segment_vote) return "the step segment_vote";
  if (steps.class_token) return "the step class_token";
  return manifest.image_encoder.extra_outputs.empty() ? "" : "further outputs of the image encoder";
}

}  // namespace

std::string cpu_only_part(const Manifest& manifest) {
  if (manifest.post_steps.area_threshold) return "the step area_threshold";
  if (manifest.post_steps.pamr) return "the step pamr";
  return cpu_only_network(manifest);
}

void check_method(const Manifest& manifest, const std::string& missing) {
  if (missing.empty()) return;
  throw BackendUnavailable("the method " + manifest.method + " needs " + missing +
                           ", which has no GPU version; use a backend on the CPU for it");
}

void check_network(const Manifest& manifest, const Engine& engine) {
  check_method(manifest, cpu_only_network(manifest));
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

int64_t WindowRuns::step() const {
  return std::max(kAlignment / std::gcd(kAlignment, window_bytes),
                  kAlignment / std::gcd(kAlignment, feature_bytes));
}

int64_t WindowRuns::most(int64_t windows, int64_t largest) const {
  return largest == 0 || largest >= windows ? windows : largest / step() * step();
}

}  // namespace vocabseg::cuda
