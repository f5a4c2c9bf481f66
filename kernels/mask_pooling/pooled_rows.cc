#include "kernels/mask_pooling/pooled_rows.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/mask_pooling/pooled_rows.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Float = hn::ScalableTag<float>;
using Floats = hn::Vec<Float>;

constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Float()));

// Columns of `kVectors` vectors from `features` on.
template <int kVectors>
void sum_columns(const SparseWeights& weights, const float* features, int64_t d, float* sum) {
  const Float tag;
  Floats sums[kVectors];
  for (Floats& part : sums) part = hn::Zero(tag);
  for (int64_t i = 0; i < weights.size; ++i) {
    const Floats weight = hn::Set(tag, weights.weight[i]);
    const float* row = features + weights.index[i] * d;
    for (int v = 0; v < kVectors; ++v) {
      sums[v] = hn::MulAdd(weight, hn::LoadU(tag, row + v * kLanes), sums[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[v], tag, sum + v * kLanes);
}

}  // namespace

void sum_sparse(const SparseWeights& weights, const float* features, int64_t d, float* sum) {
  int64_t column = 0;
  for (; column + 8 * kLanes <= d; column += 8 * kLanes) {
    sum_columns<8>(weights, features + column, d, sum + column);
  }
  for (; column + kLanes <= d; column += kLanes) {
    sum_columns<1>(weights, features + column, d, sum + column);
  }
  for (; column < d; ++column) {
    float total = 0;
    for (int64_t i = 0; i < weights.size; ++i) {
      total += weights.weight[i] * features[weights.index[i] * d + column];
    }
    sum[column] = total;
  }
}

int64_t compress(const float* weights, int64_t count, int32_t* index, float* value) {
  const Float d;
  const hn::RebindToSigned<Float> whole;
  int64_t found = 0, i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Floats part = hn::LoadU(d, weights + i);
    const auto used = hn::Ne(part, hn::Zero(d));
    if (hn::AllFalse(d, used)) continue;
    hn::StoreU(hn::Compress(part, used), d, value + found);
    hn::StoreU(hn::Compress(hn::Iota(whole, static_cast<int32_t>(i)), hn::RebindMask(whole, used)),
               whole, index + found);
    found += static_cast<int64_t>(hn::CountTrue(d, used));
  }
  for (; i < count; ++i) {
    if (weights[i] == 0) continue;
    value[found] = weights[i];
    index[found++] = static_cast<int32_t>(i);
  }
  return found;
}

bool finite(const float* values, int64_t size) {
  const Float d;
  auto nan = hn::Zero(d);  // or zero: the product of zero and all values
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes)
    nan = hn::MulAdd(hn::LoadU(d, values + i), hn::Zero(d), nan);
  bool result = hn::AllTrue(d, hn::Eq(nan, hn::Zero(d)));
  for (; i < size; ++i) result = result && std::isfinite(values[i]);
  return result;
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(sum_sparse);
HWY_EXPORT(compress);
HWY_EXPORT(finite);

int64_t compress_weights(const float* weights, int64_t count, int32_t* index, float* value) {
  return HWY_DYNAMIC_DISPATCH(compress)(weights, count, index, value);
}

void sum_rows(const SparseWeights& weights, const float* features, int64_t d, float* sum) {
  HWY_DYNAMIC_DISPATCH(sum_sparse)(weights, features, d, sum);
}

bool all_finite(const float* values, int64_t size) {
  return HWY_DYNAMIC_DISPATCH(finite)(values, size);
}

}  // namespace vocabseg::kernels
#endif
