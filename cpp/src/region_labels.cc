#include "region_labels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/mask_pooling/classification.h"
#include "kernels/mask_pooling/cpu.h"

namespace vocabseg {
namespace {

constexpr int kUnlabeled = std::numeric_limits<uint16_t>::max();

// The masks as the op takes them.
struct AsForm {
  kernels::Masks operator()(const BoolMasks& masks) const {
    return kernels::ByteMasks{masks.data, masks.count};
  }
  kernels::Masks operator()(const LabelMap& masks) const {
    return kernels::LabelMap{masks.data, masks.count};
  }
  kernels::Masks operator()(const RunLengths& masks) const {
    std::vector<kernels::RunLengths> codes;
    codes.reserve(masks.size());
    for (const std::vector<uint32_t>& counts : masks) {
      codes.push_back({counts.data(), static_cast<int64_t>(counts.size())});
    }
    return codes;
  }
};

}  // namespace

void normalize_rows(std::vector<float>& rows, size_t dim) {
  for (auto row = rows.begin(); row != rows.end(); row += static_cast<std::ptrdiff_t>(dim)) {
    double square = 0;
    for (size_t i = 0; i < dim; ++i) square += double{row[i]} * row[i];
    if (square == 0) continue;
    const double scale = 1 / std::sqrt(square);
    for (size_t i = 0; i < dim; ++i) row[i] = static_cast<float>(row[i] * scale);
  }
}

void pool_masks(const float* features, const FramePlan& plan, const Masks& masks,
                kernels::ThreadPool& pool, RegionLabels& out) {
  const kernels::Masks form = std::visit(AsForm{}, masks.value);
  const auto regions = static_cast<size_t>(kernels::count(form));
  out.area.resize(regions);
  out.features.resize(regions * static_cast<size_t>(out.dim));
  kernels::mask_pool({features, kernels::FloatType::kFloat32, out.dim}, form, {}, plan.rows,
                     plan.cols, out.features.data(), out.area.data(), pool);
  normalize_rows(out.features, static_cast<size_t>(out.dim));
}

void classify_regions(const Vocabulary& vocabulary, float logit_scale, kernels::ThreadPool& pool,
                      RegionLabels& out) {
  const Words& words = vocabulary.words;
  const size_t regions = out.area.size();
  const auto queries = static_cast<int>(words.queries.size());
  kernels::DecodeOptions options;
  options.query_to_class = words.query_to_class.data();
  options.classes = static_cast<int>(words.names.size());
  options.logit_scale = logit_scale;
  options.unlabeled = kUnlabeled;
  std::vector<uint16_t> labels(regions);
  out.scores.resize(regions);
  kernels::classify_regions(out.features.data(), out.area.data(), static_cast<int64_t>(regions),
                            out.dim, vocabulary.embeddings.data(), queries, false, options,
                            labels.data(), out.scores.data(), pool);
  out.class_ids.assign(regions, -1);
  for (size_t m = 0; m < regions; ++m) {
    const auto& background = words.background;
    const bool named =
        std::find(background.begin(), background.end(), labels[m]) == background.end();
    if (labels[m] != kUnlabeled && named) out.class_ids[m] = labels[m];
  }
}

}  // namespace vocabseg
