#include "region_labels.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/mask_pooling/cpu.h"
#include "kernels/patch_text_similarity/cpu.h"

namespace vocabseg {
namespace {

int64_t count(const BoolMasks& masks) { return masks.count; }
int64_t count(const LabelMap& masks) { return masks.count; }
int64_t count(const RunLengths& masks) { return static_cast<int64_t>(masks.size()); }

// Weights of one chunk of masks; more would make the matrix too large where there are many.
constexpr int64_t kMaxWeights = int64_t{1} << 25;

// Masks [begin, begin + n) of each form; `scratch` holds the renumbered pixels of a label map.
BoolMasks slice(const BoolMasks& masks, int64_t begin, int64_t n, int64_t pixels,
                std::vector<int32_t>&) {
  return {masks.data + begin * pixels, n};
}
LabelMap slice(const LabelMap& masks, int64_t begin, int64_t n, int64_t pixels,
               std::vector<int32_t>& scratch) {
  if (n == masks.count) return masks;
  scratch.resize(static_cast<size_t>(pixels));
  std::transform(masks.data, masks.data + pixels, scratch.begin(), [begin, n](int32_t label) {
    return label >= begin && label < begin + n ? static_cast<int32_t>(label - begin) : -1;
  });
  return {scratch.data(), n};
}
RunLengths slice(const RunLengths& masks, int64_t begin, int64_t n, int64_t,
                 std::vector<int32_t>&) {
  return {masks.begin() + begin, masks.begin() + begin + n};
}

void push_down(const BoolMasks& masks, const FramePlan& plan, float* weights, int64_t* area,
               kernels::ThreadPool& pool) {
  kernels::mask_weights(masks.data, masks.count, plan.rows, plan.cols, weights, area, pool);
}
void push_down(const LabelMap& masks, const FramePlan& plan, float* weights, int64_t* area,
               kernels::ThreadPool& pool) {
  kernels::mask_weights(masks.data, masks.count, plan.rows, plan.cols, weights, area, pool);
}
void push_down(const RunLengths& masks, const FramePlan& plan, float* weights, int64_t* area,
               kernels::ThreadPool& pool) {
  kernels::mask_weights(masks, plan.rows, plan.cols, weights, area, pool);
}

// Fills area and features, chunk by chunk.
template <class Form>
void pool_form(const float* features, const FramePlan& plan, const Form& masks,
               kernels::ThreadPool& pool, RegionLabels& out) {
  const int64_t regions = count(masks);
  const int64_t cells = int64_t{plan.windows.windows()} * plan.windows.patches();
  const int64_t pixels = int64_t{plan.rows.rows} * plan.cols.rows;
  const int64_t chunk = std::min(regions, std::max<int64_t>(1, kMaxWeights / cells));
  out.area.resize(static_cast<size_t>(regions));
  out.features.resize(static_cast<size_t>(regions * out.dim));
  std::vector<float> weights(static_cast<size_t>(chunk * cells));
  std::vector<int32_t> scratch;
  for (int64_t begin = 0; begin < regions; begin += chunk) {
    const int64_t n = std::min(chunk, regions - begin);
    push_down(slice(masks, begin, n, pixels, scratch), plan, weights.data(),
              out.area.data() + begin, pool);
    kernels::pool_features(weights.data(), n, features, cells, out.dim,
                           out.features.data() + begin * out.dim, pool);
  }
}

void normalize_rows(std::vector<float>& rows, size_t dim) {
  for (auto row = rows.begin(); row != rows.end(); row += static_cast<std::ptrdiff_t>(dim)) {
    double square = 0;
    for (size_t i = 0; i < dim; ++i) square += double{row[i]} * row[i];
    if (square == 0) continue;
    const double scale = 1 / std::sqrt(square);
    for (size_t i = 0; i < dim; ++i) row[i] = static_cast<float>(row[i] * scale);
  }
}

// The best query of a region and its probability; -1 if no cosine is a number.
std::pair<int64_t, float> best_query(const float* cosines, int64_t queries, int64_t stride,
                                     float logit_scale) {
  int64_t best = -1;
  for (int64_t q = 0; q < queries; ++q) {
    const float cosine = cosines[q * stride];
    if (std::isfinite(cosine) && (best < 0 || cosine > cosines[best * stride])) best = q;
  }
  if (best < 0) return {-1, 0.0f};
  double sum = 0;
  for (int64_t q = 0; q < queries; ++q) {
    const float cosine = cosines[q * stride];
    if (std::isfinite(cosine)) sum += std::exp(logit_scale * (cosine - cosines[best * stride]));
  }
  return {best, static_cast<float>(1 / sum)};
}

}  // namespace

void pool_masks(const float* features, const FramePlan& plan, const Masks& masks,
                kernels::ThreadPool& pool, RegionLabels& out) {
  std::visit([&](const auto& form) { pool_form(features, plan, form, pool, out); }, masks.value);
  normalize_rows(out.features, static_cast<size_t>(out.dim));
}

void classify_regions(const Vocabulary& vocabulary, float logit_scale, kernels::ThreadPool& pool,
                      RegionLabels& out) {
  const Words& words = vocabulary.words;
  const auto regions = static_cast<int64_t>(out.area.size());
  const auto queries = static_cast<int64_t>(words.queries.size());
  out.class_ids.assign(out.area.size(), -1);
  out.scores.assign(out.area.size(), 0.0f);
  if (regions == 0) return;
  std::vector<float> cosines(static_cast<size_t>(queries * regions));
  kernels::patch_text_similarity(out.features.data(), regions, out.dim,
                                 vocabulary.embeddings.data(), queries, false, cosines.data(),
                                 pool);
  const auto is_background = [&](int32_t index) {
    return std::count(words.background.begin(), words.background.end(), index) > 0;
  };
  for (int64_t m = 0; m < regions; ++m) {
    if (out.area[m] == 0) continue;
    const auto [query, score] = best_query(cosines.data() + m, queries, regions, logit_scale);
    out.scores[m] = score;
    if (query < 0) continue;
    const int32_t index = words.query_to_class[query];
    if (!is_background(index)) out.class_ids[m] = index;
  }
}

}  // namespace vocabseg
