// vocabseg._core.ops: mask pooling on NumPy arrays.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

#include "kernels/mask_pooling/classification.h"
#include "kernels/mask_pooling/cpu.h"
#include "kernels/mask_pooling/rle.h"
#include "kernels/mask_pooling/take_pixels.h"
#include "ops/arrays.hpp"
#include "ops/float_rows.hpp"
#include "ops/ops.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::ops {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)
using namespace arrays;   // NOLINT(google-build-using-namespace)

// Masks, and the arrays that they look into.
struct GivenMasks {
  Masks masks;
  std::vector<py::array> arrays;
};

// An array of masks as dense T [-1, height, width].
template <class T>
const T* dense_masks(const py::object& masks, ssize_t height, ssize_t width, GivenMasks& given) {
  const Dense<T> array = masks.cast<Dense<T>>();
  expect_shape(array, "masks", {-1, height, width});
  given.arrays.push_back(array);
  return array.data();
}

GivenMasks bool_masks(const py::object& masks, ssize_t height, ssize_t width) {
  GivenMasks given;
  const uint8_t* data = dense_masks<uint8_t>(masks, height, width, given);
  given.masks = ByteMasks{data, given.arrays[0].shape(0)};
  return given;
}

GivenMasks packed_masks(const py::object& masks, ssize_t height, ssize_t width) {
  GivenMasks given;
  const uint8_t* data = dense_masks<uint8_t>(masks, height, (width + 7) / 8, given);
  given.masks = BitMasks{data, given.arrays[0].shape(0)};
  return given;
}

GivenMasks soft_masks(const py::object& masks, ssize_t height, ssize_t width) {
  GivenMasks given;
  const float* data = dense_masks<float>(masks, height, width, given);
  given.masks = SoftMasks{data, given.arrays[0].shape(0)};
  return given;
}

GivenMasks label_map(const py::object& masks, int64_t count, ssize_t height, ssize_t width) {
  const auto array = masks.cast<Dense<int32_t>>();
  expect_shape(array, "a label map", {height, width});
  return {LabelMap{array.data(), count}, {array}};
}

GivenMasks run_lengths(const py::list& masks) {
  GivenMasks given;
  std::vector<RunLengths> codes;
  for (const py::handle mask : masks) {
    const auto counts = mask.cast<Dense<uint32_t>>();
    expect_shape(counts, "run lengths", {-1});
    codes.push_back({counts.data(), counts.size()});
    given.arrays.push_back(counts);
  }
  given.masks = std::move(codes);
  return given;
}

GivenMasks read_masks(std::string_view form, const py::object& masks, int64_t count, int height,
                      int width) {
  if (form == "bool") return bool_masks(masks, height, width);
  if (form == "packed") return packed_masks(masks, height, width);
  if (form == "soft") return soft_masks(masks, height, width);
  if (form == "labels") return label_map(masks, count, height, width);
  if (form == "rle") return run_lengths(masks);
  throw MaskError("there is no form of masks " + std::string(form));
}

PixelWeights read_weights(const std::optional<Floats>& weights, int64_t count, ssize_t height,
                          ssize_t width) {
  if (!weights) return {};
  const bool per_mask = weights->ndim() == 3;
  if (per_mask) {
    expect_shape(*weights, "weights", {static_cast<ssize_t>(count), height, width});
  } else {
    expect_shape(*weights, "weights", {height, width});
  }
  return {weights->data(), per_mask};
}

// pooled [M, D] float32 and area [M].
py::tuple pool(const py::array& features, const std::string& type, const std::string& form,
               const py::object& masks, int64_t masks_count, int height, int width,
               const WindowPlan& plan, const std::optional<Floats>& weights, int threads) {
  check_plan(plan);
  expect_size(height, width);
  const FloatRows rows = float_rows(features, float_type(type));
  const ssize_t patches = ssize_t{plan.grid_h} * plan.grid_w;
  expect_shape(rows.array, "features", {plan.windows(), patches, -1});
  const GivenMasks given = read_masks(form, masks, masks_count, height, width);
  const PixelWeights pixel_weights = read_weights(weights, count(given.masks), height, width);
  const ssize_t total = count(given.masks), d = rows.array.shape(2);
  Floats pooled({total, d});
  py::array_t<int64_t> area(total);
  const Features from{rows.array.data(), rows.type, d};
  float* to = pooled.mutable_data();
  int64_t* areas = area.mutable_data();
  {
    py::gil_scoped_release release;
    mask_pool(from, given.masks, pixel_weights, row_weights(plan, height), col_weights(plan, width),
              to, areas, pool_of(threads));
  }
  return py::make_tuple(pooled, area);
}

// Labels [M] uint16 and scores [M] float32 of pooled rows.
py::tuple classify(const Floats& pooled, const Dense<int64_t>& area, const Floats& text,
                   bool normalize, const Dense<int32_t>& query_to_class, int classes,
                   const std::optional<Dense<uint8_t>>& class_enabled, float logit_scale,
                   float threshold, int unlabeled, int threads) {
  expect_shape(pooled, "pooled features", {-1, -1});
  const ssize_t total = pooled.shape(0), d = pooled.shape(1);
  expect_shape(area, "area", {total});
  expect_shape(text, "text", {-1, d});
  expect_shape(query_to_class, "query_to_class", {text.shape(0)});
  if (class_enabled) expect_shape(*class_enabled, "class_enabled", {classes});
  const DecodeOptions options{query_to_class.data(),
                              classes,
                              logit_scale,
                              threshold,
                              unlabeled,
                              class_enabled ? class_enabled->data() : nullptr};
  Dense<uint16_t> labels(total);
  Floats scores(total);
  const float *rows = pooled.data(), *words = text.data();
  const int64_t* areas = area.data();
  uint16_t* to = labels.mutable_data();
  float* scores_to = scores.mutable_data();
  const auto queries = static_cast<int>(text.shape(0));
  {
    py::gil_scoped_release release;
    classify_regions(rows, areas, total, d, words, queries, normalize, options, to, scores_to,
                     pool_of(threads));
  }
  return py::make_tuple(labels, scores);
}

// Run lengths uint32 [R] of COCO's text, and their sum.
py::tuple decompress_text(std::string_view text) {
  const std::vector<uint32_t> counts = decompress(text);
  const uint64_t sum = std::accumulate(counts.begin(), counts.end(), uint64_t{0});
  return py::make_tuple(py::array_t<uint32_t>(static_cast<ssize_t>(counts.size()), counts.data()),
                        sum);
}

// Pixels of maps [M, H, W] at given rows and columns.
template <class T>
Dense<T> take(const Dense<T>& maps, const std::vector<int64_t>& rows,
              const std::vector<int64_t>& cols, int threads) {
  expect_shape(maps, "maps", {-1, -1, -1});
  const ssize_t count = maps.shape(0), height = maps.shape(1), width = maps.shape(2);
  const auto inside = [](const std::vector<int64_t>& indices, ssize_t length) {
    return std::all_of(indices.begin(), indices.end(),
                       [length](int64_t i) { return i >= 0 && i < length; });
  };
  if (!inside(rows, height) || !inside(cols, width)) throw ShapeError("a pixel lies outside");
  Dense<T> out({count, static_cast<ssize_t>(rows.size()), static_cast<ssize_t>(cols.size())});
  const T* from = maps.data();
  T* to = out.mutable_data();
  py::gil_scoped_release release;
  take_pixels(from, count, height, width, rows, cols, to, pool_of(threads));
  return out;
}

}  // namespace

void bind_mask_pooling(py::module_& ops) {
  ops.def("mask_pool", &pool);
  ops.def("classify_regions", &classify);
  ops.def("take_bytes", &take<uint8_t>);
  ops.def("take_floats", &take<float>);
  ops.def("take_labels", &take<int32_t>);
  ops.def("decompress_rle", &decompress_text);
}

}  // namespace vocabseg::ops
