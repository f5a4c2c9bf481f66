#include "cuda/frame_tables.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/preprocessing/bicubic_passes.h"

namespace vocabseg::cuda {
namespace {

constexpr float kBilinearUnit = 2048;

// Of a patch, counted along the axis over all windows.
int64_t place(const kernels::AxisWeights& axis, int index, int64_t window, int64_t patch) {
  return index / axis.grid * window + index % axis.grid * patch;
}

template <class Visit>
void for_each_weight(const kernels::AxisWeights& axis, const Visit& visit) {
  for (int pixel = 0; pixel < axis.rows; ++pixel) {
    for (int k = axis.offset[pixel]; k < axis.offset[pixel + 1]; ++k) {
      visit(pixel, k - axis.offset[pixel], axis.index[k], axis.weight[k]);
    }
  }
}

}  // namespace

std::vector<int32_t> bilinear_taps(int size, int length, bool keep_border_fraction) {
  std::vector<int32_t> table(size_t{4} * length);
  const double step = 1.0 / (static_cast<double>(length) / size);
  for (int i = 0; i < length; ++i) {
    const auto source = static_cast<float>((i + 0.5) * step - 0.5);
    const int low = static_cast<int>(std::floor(source));
    float fraction = source - static_cast<float>(low);
    if (!keep_border_fraction && (low < 0 || low >= size - 1)) fraction = 0;
    table[i] = std::clamp(low, 0, size - 1);
    table[length + i] = std::clamp(low + 1, 0, size - 1);
    table[2 * length + i] = static_cast<int32_t>(std::nearbyint((1 - fraction) * kBilinearUnit));
    table[3 * length + i] = static_cast<int32_t>(std::nearbyint(fraction * kBilinearUnit));
  }
  return table;
}

CubicTable cubic_table(int size, int length) {
  const std::vector<kernels::CubicFilter> filters = kernels::cubic_filters(size, length);
  CubicTable table;
  for (const auto& filter : filters) {
    table.first.push_back(filter.first);
    table.taps = std::max(table.taps, static_cast<int>(filter.weight.size()));
  }
  table.weights.resize(static_cast<size_t>(table.taps) * length);
  for (int i = 0; i < length; ++i) {
    const auto& weight = filters[i].weight;
    for (size_t tap = 0; tap < weight.size(); ++tap) table.weights[tap * length + i] = weight[tap];
  }
  return table;
}

TapTable tap_table(const kernels::AxisWeights& axis, int64_t window, int64_t patch) {
  TapTable table;
  for (int i = 0; i < axis.rows; ++i) {
    table.taps = std::max(table.taps, axis.offset[i + 1] - axis.offset[i]);
  }
  const auto size = static_cast<size_t>(table.taps) * axis.rows;
  table.offset.resize(size);
  table.weight.resize(size);
  for_each_weight(axis, [&](int pixel, int tap, int index, float weight) {
    const size_t at = static_cast<size_t>(tap) * axis.rows + pixel;
    table.offset[at] = place(axis, index, window, patch);
    table.weight[at] = weight;
  });
  return table;
}

SpanTable span_table(const kernels::AxisWeights& axis, int64_t window, int64_t patch) {
  SpanTable table;
  table.patches = axis.columns();
  table.span = 1;
  table.first.assign(table.patches, 0);
  table.owner.resize(axis.rows);
  std::vector<int> last(table.patches, -1);
  std::vector<float> most(axis.rows, 0);
  for_each_weight(axis, [&](int pixel, int, int index, float weight) {
    if (last[index] < 0) table.first[index] = pixel;
    last[index] = pixel;
    table.span = std::max(table.span, pixel + 1 - table.first[index]);
    if (weight > most[pixel]) {
      most[pixel] = weight;
      table.owner[pixel] = index;
    }
  });
  table.weights.resize(static_cast<size_t>(table.patches) * table.span);
  for_each_weight(axis, [&](int pixel, int, int index, float weight) {
    table.weights[static_cast<size_t>(index) * table.span + pixel - table.first[index]] = weight;
  });
  for (int i = 0; i < table.patches; ++i) {
    table.at.push_back(static_cast<int32_t>(place(axis, i, window, patch)));
  }
  return table;
}

}  // namespace vocabseg::cuda
