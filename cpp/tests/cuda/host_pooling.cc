#include "cuda/host_kernels.hpp"

namespace vocabseg::cuda {
namespace {

using A = LaunchArguments;

constexpr int64_t kRowBlock = 128;

void expand(const A& a) {
  const auto *ends = a.pointer<int32_t>("run_ends"), *first = a.pointer<int32_t>("first_run");
  auto* masks = a.pointer<uint8_t>("masks");
  const int64_t pixels = a.integer("pixels");
  const int64_t values = a.integer("masks_count") * pixels;
  for (int64_t i = 0; i < values; ++i) {
    const int64_t mask = i / pixels;
    int ended = 0;
    for (int run = first[mask]; run < first[mask + 1]; ++run) ended += ends[run] <= i % pixels;
    masks[i] = ended % 2;
  }
}

struct Members {
  bool holds(int64_t mask, int64_t pixel) const {
    return labels ? labels[pixel] == mask : bytes[mask * pixels + pixel] != 0;
  }
  const int32_t* labels;
  const uint8_t* bytes;
  int64_t pixels;
};

void push_rows(const A& a) {
  const auto *first = a.pointer<int32_t>("first"), *owner = a.pointer<int32_t>("owner");
  const auto* weights = a.pointer<float>("weights");
  auto* sums = a.pointer<float>("sums");
  auto* counts = a.pointer<int32_t>("counts");
  const int64_t patches = a.integer("patches"), h = a.integer("h"), w = a.integer("w");
  const int64_t span = a.integer("span"), blocks = (w + kRowBlock - 1) / kRowBlock;
  const int64_t lines = a.integer("masks_count") * patches;
  const bool map = a.constant("FORM") == 1;
  const Members members{map ? a.pointer<int32_t>("masks") : nullptr, a.pointer<uint8_t>("masks"),
                        h * w};
  std::fill(counts, counts + lines * blocks, 0);
  for (int64_t i = 0; i < lines * w; ++i) {
    const int64_t mask = i / w / patches, patch = i / w % patches, x = i % w;
    float total = 0;
    for (int64_t k = 0; k < span && first[patch] + k < h; ++k) {
      const int64_t y = first[patch] + k;
      if (!members.holds(mask, y * w + x)) continue;
      total += weights[patch * span + k];
      if (owner[y] == patch) ++counts[i / w * blocks + x / kRowBlock];
    }
    sums[i] = total;
  }
}

void push_cols(const A& a) {
  const auto *sums = a.pointer<float>("sums"), *weights = a.pointer<float>("weights");
  const auto* first = a.pointer<int32_t>("first");
  const auto *row_at = a.pointer<int32_t>("row_at"), *patch_at = a.pointer<int32_t>("patch_at");
  auto* out = a.pointer<float>("out");
  const int64_t rows = a.integer("rows"), patches = a.integer("patches"), w = a.integer("w");
  const int64_t span = a.integer("span");
  const int64_t values = a.integer("lines") * patches;
  for (int64_t i = 0; i < values; ++i) {
    const int64_t line = i / patches, patch = i % patches;
    float total = 0;
    for (int64_t k = 0; k < span && first[patch] + k < w; ++k) {
      total += weights[patch * span + k] * sums[line * w + first[patch] + k];
    }
    out[line / rows * rows * patches + row_at[line % rows] + patch_at[patch]] = total;
  }
}

void pool(const A& a) {
  const auto *weights = a.pointer<float>("weights"), *features = a.pointer<float>("features");
  const auto* sizes = a.pointer<float>("sizes");
  auto* pooled = a.pointer<float>("pooled");
  const int64_t cells = a.integer("cells"), d = a.integer("d");
  const int64_t values = a.integer("masks_count") * d;
  for (int64_t i = 0; i < values; ++i) {
    const int64_t mask = i / d;
    float total = 0;
    for (int64_t k = 0; k < cells; ++k)
      total += weights[mask * cells + k] * features[k * d + i % d];
    pooled[i] = total / (sizes[mask] == 0 ? 1 : sizes[mask]);
  }
}

}  // namespace

bool run_pooling_on_host(const std::string& kernel, const LaunchArguments& arguments) {
  const bool rows = kernel.rfind("mask_push_rows_", 0) == 0;
  if (rows) push_rows(arguments);
  if (kernel == "mask_expand_codes") expand(arguments);
  if (kernel == "mask_push_cols") push_cols(arguments);
  if (kernel == "mask_pool") pool(arguments);
  return rows || kernel == "mask_expand_codes" || kernel == "mask_push_cols" ||
         kernel == "mask_pool";
}

}  // namespace vocabseg::cuda
