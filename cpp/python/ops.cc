// vocabseg._core.ops: the ops on NumPy arrays, without copies and with the GIL released.
// `vocabseg.ops` checks and converts arguments; what is checked here is only what memory safety
// needs.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "kernels/label_decoding/cpu.h"
#include "kernels/mask_pooling/cpu.h"
#include "kernels/pamr/cpu.h"
#include "kernels/patch_text_similarity/cpu.h"
#include "kernels/preprocessing/cpu.h"
#include "ops_arrays.hpp"
#include "vocabseg/error.hpp"

namespace py = pybind11;

namespace {

using namespace vocabseg::kernels;  // NOLINT(google-build-using-namespace)
using namespace vocabseg::arrays;   // NOLINT(google-build-using-namespace)
using py::ssize_t;

Floats preprocess_array(const py::array_t<uint8_t>& image, const WindowPlan& plan,
                        const std::string& resize, std::array<float, 3> mean,
                        std::array<float, 3> std, int threads) {
  if (resize != "bilinear" && resize != "bicubic") {
    throw vocabseg::ShapeError("resize must be bilinear or bicubic, got " + resize);
  }
  check_plan(plan);
  const ImageView source = view(image);
  Floats out({ssize_t{plan.windows()}, ssize_t{3}, ssize_t{plan.padded_h}, ssize_t{plan.padded_w}});
  float* to = out.mutable_data();
  py::gil_scoped_release release;
  preprocess(source, plan, resize == "bicubic" ? Resize::kBicubicAntialias : Resize::kBilinear,
             mean.data(), std.data(), to, pool_of(threads));
  return out;
}

Floats similarity(const Floats& features, const Floats& text, bool normalize, int threads) {
  expect_shape(features, "features", {-1, -1, -1});
  expect_shape(text, "text", {-1, features.shape(2)});
  const ssize_t b = features.shape(0), n = features.shape(1), d = features.shape(2);
  const ssize_t q = text.shape(0);
  Floats out({b, q, n});
  const float *from = features.data(), *rows = text.data();
  float* to = out.mutable_data();
  py::gil_scoped_release release;
  for (ssize_t i = 0; i < b; ++i) {
    patch_text_similarity(from + i * n * d, n, d, rows, q, normalize, to + i * q * n,
                          pool_of(threads));
  }
  return out;
}

void expect_scores(const Floats& scores, const WindowPlan& plan) {
  check_plan(plan);
  expect_shape(scores, "scores", {plan.windows(), -1, plan.grid_h, plan.grid_w});
}

struct DecodeArguments {
  const Floats& scores;
  const WindowPlan& plan;
  int height, width;
  DecodeOptions options;
  bool return_scores;
  int threads;
};

template <class Label>
py::tuple decode_as(const DecodeArguments& arguments) {
  const auto& [scores, plan, height, width, options, return_scores, threads] = arguments;
  const auto queries = static_cast<int>(scores.shape(1));
  py::array_t<Label> labels({height, width});
  std::optional<Floats> best;
  if (return_scores) best = Floats({height, width});
  Label* to = labels.mutable_data();
  float* best_to = best ? best->mutable_data() : nullptr;
  const float* from = scores.data();
  {
    py::gil_scoped_release release;
    decode_labels(from, queries, row_weights(plan, height), col_weights(plan, width), options, to,
                  best_to, pool_of(threads));
  }
  return py::make_tuple(labels, best);
}

py::tuple decode(const Floats& scores, const WindowPlan& plan, int height, int width,
                 const Dense<int32_t>& query_to_class, int classes,
                 const std::optional<Dense<uint8_t>>& class_enabled, float logit_scale,
                 float threshold, int unlabeled, bool return_scores, int threads) {
  expect_scores(scores, plan);
  expect_size(height, width);
  expect_shape(query_to_class, "query_to_class", {scores.shape(1)});
  if (class_enabled) expect_shape(*class_enabled, "class_enabled", {classes});
  const DecodeOptions options{query_to_class.data(),
                              classes,
                              logit_scale,
                              threshold,
                              unlabeled,
                              class_enabled ? class_enabled->data() : nullptr};
  const DecodeArguments arguments{scores, plan, height, width, options, return_scores, threads};
  const bool wide = classes > 255 || unlabeled > 255;
  return wide ? decode_as<uint16_t>(arguments) : decode_as<uint8_t>(arguments);
}

Floats upsample(const Floats& scores, const WindowPlan& plan, int height, int width, int threads) {
  expect_scores(scores, plan);
  expect_size(height, width);
  const auto queries = static_cast<int>(scores.shape(1));
  Floats out({ssize_t{queries}, ssize_t{height}, ssize_t{width}});
  const float* from = scores.data();
  float* to = out.mutable_data();
  py::gil_scoped_release release;
  const AxisWeights rows = row_weights(plan, height), cols = col_weights(plan, width);
  for (int q = 0; q < queries; ++q) {
    upsample_scores(from, queries, q, rows, cols, to + ssize_t{q} * height * width,
                    pool_of(threads));
  }
  return out;
}

// `push(rows, cols, weights, area, pool)` fills the weights of `count` masks of height x width
// pixels.
template <class Push>
py::tuple pool_masks(const Floats& features, const WindowPlan& plan, ssize_t count, ssize_t height,
                     ssize_t width, int threads, const Push& push) {
  check_plan(plan);
  const ssize_t patches = ssize_t{plan.grid_h} * plan.grid_w;
  expect_shape(features, "features", {plan.windows(), patches, -1});
  if (count < 0 || height < 1 || width < 1) throw vocabseg::MaskError("masks have no pixels");
  const ssize_t cells = plan.windows() * patches, d = features.shape(2);
  Floats pooled({count, d});
  py::array_t<int64_t> area(count);
  const float* from = features.data();
  float* to = pooled.mutable_data();
  int64_t* areas = area.mutable_data();
  {
    py::gil_scoped_release release;
    ThreadPool& pool = pool_of(threads);
    std::vector<float> weights(count * cells);
    push(row_weights(plan, static_cast<int>(height)), col_weights(plan, static_cast<int>(width)),
         weights.data(), areas, pool);
    pool_features(weights.data(), count, from, cells, d, to, pool);
  }
  return py::make_tuple(pooled, area);
}

py::tuple pool_bool(const Floats& features, const Dense<uint8_t>& masks, const WindowPlan& plan,
                    int threads) {
  expect_shape(masks, "masks", {-1, -1, -1});
  const ssize_t count = masks.shape(0);
  const uint8_t* from = masks.data();
  return pool_masks(
      features, plan, count, masks.shape(1), masks.shape(2), threads,
      [&](const auto& rows, const auto& cols, float* weights, int64_t* area, ThreadPool& pool) {
        mask_weights(from, count, rows, cols, weights, area, pool);
      });
}

py::tuple pool_labels(const Floats& features, const Dense<int32_t>& labels, ssize_t count,
                      const WindowPlan& plan, int threads) {
  expect_shape(labels, "a label map", {-1, -1});
  const int32_t* from = labels.data();
  return pool_masks(
      features, plan, count, labels.shape(0), labels.shape(1), threads,
      [&](const auto& rows, const auto& cols, float* weights, int64_t* area, ThreadPool& pool) {
        mask_weights(from, count, rows, cols, weights, area, pool);
      });
}

py::tuple pool_rle(const Floats& features, const std::vector<RleCounts>& masks, int height,
                   int width, const WindowPlan& plan, int threads) {
  return pool_masks(
      features, plan, static_cast<ssize_t>(masks.size()), height, width, threads,
      [&](const auto& rows, const auto& cols, float* weights, int64_t* area, ThreadPool& pool) {
        mask_weights(masks, rows, cols, weights, area, pool);
      });
}

// Refines copies of maps [Q, H, W] with image planes [3, H, W].
Floats refine(const Floats& maps, const Floats& planes, int steps,
              const std::vector<int>& dilations, int threads) {
  expect_shape(maps, "scores", {-1, -1, -1});
  expect_shape(planes, "image planes", {3, maps.shape(1), maps.shape(2)});
  const ssize_t queries = maps.shape(0), pixels = maps.shape(1) * maps.shape(2);
  const auto height = static_cast<int>(maps.shape(1)), width = static_cast<int>(maps.shape(2));
  Floats out({queries, maps.shape(1), maps.shape(2)});
  const float *from = maps.data(), *image = planes.data();
  float* to = out.mutable_data();
  py::gil_scoped_release release;
  std::copy_n(from, queries * pixels, to);
  Pamr pamr(image, height, width, dilations, pool_of(threads));
  for (ssize_t q = 0; q < queries; ++q) pamr.refine(to + q * pixels, steps);
  return out;
}

WindowPlan plan_of(const std::string& mode, std::array<int, 2> source, std::array<int, 2> crop,
                   std::array<int, 2> stride, int short_side, int long_side,
                   std::array<int, 2> grid) {
  WindowRule rule;
  rule.mode = mode == "whole" ? WindowMode::kWhole : WindowMode::kSlide;
  rule.height = crop[0], rule.width = crop[1];
  rule.stride_y = stride[0], rule.stride_x = stride[1];
  rule.short_side = short_side, rule.long_side = long_side;
  rule.grid_h = grid[0], rule.grid_w = grid[1];
  return plan_windows(rule, source[0], source[1]);
}

void bind_plan(py::module_& ops) {
  py::class_<WindowPlan>(ops, "WindowPlan")
      .def(py::init<>())
      .def_readwrite("source_h", &WindowPlan::source_h)
      .def_readwrite("source_w", &WindowPlan::source_w)
      .def_readwrite("net_h", &WindowPlan::net_h)
      .def_readwrite("net_w", &WindowPlan::net_w)
      .def_readwrite("window_h", &WindowPlan::window_h)
      .def_readwrite("window_w", &WindowPlan::window_w)
      .def_readwrite("padded_h", &WindowPlan::padded_h)
      .def_readwrite("padded_w", &WindowPlan::padded_w)
      .def_readwrite("pad_top", &WindowPlan::pad_top)
      .def_readwrite("pad_left", &WindowPlan::pad_left)
      .def_readwrite("ys", &WindowPlan::ys)
      .def_readwrite("xs", &WindowPlan::xs)
      .def_readwrite("grid_h", &WindowPlan::grid_h)
      .def_readwrite("grid_w", &WindowPlan::grid_w);
  ops.def("plan_windows", &plan_of);
}

}  // namespace

void bind_ops(py::module_& module) {
  py::module_ ops =
      module.def_submodule("ops", "The ops on the CPU; use them through vocabseg.ops.");
  bind_plan(ops);
  ops.def("preprocess", &preprocess_array);
  ops.def("patch_text_similarity", &similarity);
  ops.def("decode_labels", &decode);
  ops.def("upsample_scores", &upsample);
  ops.def("pool_bool", &pool_bool);
  ops.def("pool_labels", &pool_labels);
  ops.def("pool_rle", &pool_rle);
  ops.def("pamr", &refine);
}
