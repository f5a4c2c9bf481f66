// vocabseg._core.ops: label decoding on NumPy arrays.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "kernels/label_decoding/cpu.h"
#include "kernels/label_decoding/region_vote.h"
#include "ops/arrays.hpp"
#include "ops/ops.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::ops {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)
using namespace arrays;   // NOLINT(google-build-using-namespace)

void expect_scores(const Floats& scores, const WindowPlan& plan) {
  check_plan(plan);
  expect_shape(scores, "scores", {plan.windows(), -1, plan.grid_h, plan.grid_w});
}

Interpolation interpolation_of(const std::string& name) {
  if (name == "bilinear") return Interpolation::kBilinear;
  if (name == "align_corners") return Interpolation::kAlignCorners;
  if (name == "nearest") return Interpolation::kNearest;
  throw ShapeError("got interpolation " + name + ", expected bilinear, align_corners or nearest");
}

struct DecodeArguments {
  const Floats& scores;
  const WindowPlan& plan;
  int height, width;
  Interpolation interpolation;
  DecodeOptions options;
  const int32_t* regions;  // [height, width] or null
  bool return_scores;
  int threads;
};

template <class Label>
py::tuple decode_as(const DecodeArguments& arguments) {
  const auto& [scores, plan, height, width, interpolation, options, regions, return_scores,
               threads] = arguments;
  const auto queries = static_cast<int>(scores.shape(1));
  py::array_t<Label> labels({height, width});
  std::optional<Floats> best;
  if (return_scores) best = Floats({height, width});
  Label* to = labels.mutable_data();
  float* best_to = best ? best->mutable_data() : nullptr;
  const float* from = scores.data();
  {
    py::gil_scoped_release release;
    decode_labels(from, queries, row_weights(plan, height, interpolation),
                  col_weights(plan, width, interpolation), options, to, best_to, pool_of(threads));
    if (regions) {
      vote_regions(regions, int64_t{height} * width, options.classes, options.unlabeled, to,
                   best_to);
    }
  }
  return py::make_tuple(labels, best);
}

py::tuple decode(const Floats& scores, const WindowPlan& plan, int height, int width,
                 const std::string& interpolation, const Dense<int32_t>& query_to_class,
                 int classes, const std::optional<Dense<uint8_t>>& class_enabled, float logit_scale,
                 float threshold, int unlabeled, const std::optional<Dense<int32_t>>& regions,
                 bool return_scores, int threads) {
  expect_scores(scores, plan);
  expect_size(height, width);
  expect_shape(query_to_class, "query_to_class", {scores.shape(1)});
  if (class_enabled) expect_shape(*class_enabled, "class_enabled", {classes});
  if (regions) expect_shape(*regions, "regions", {height, width});
  const DecodeOptions options{query_to_class.data(),
                              classes,
                              logit_scale,
                              threshold,
                              unlabeled,
                              class_enabled ? class_enabled->data() : nullptr};
  const DecodeArguments arguments{scores,
                                  plan,
                                  height,
                                  width,
                                  interpolation_of(interpolation),
                                  options,
                                  regions ? regions->data() : nullptr,
                                  return_scores,
                                  threads};
  const bool wide = classes > 255 || unlabeled > 255;
  return wide ? decode_as<uint16_t>(arguments) : decode_as<uint8_t>(arguments);
}

Floats upsample(const Floats& scores, const WindowPlan& plan, int height, int width,
                const std::string& interpolation, int threads) {
  expect_scores(scores, plan);
  expect_size(height, width);
  const auto queries = static_cast<int>(scores.shape(1));
  Floats out({ssize_t{queries}, ssize_t{height}, ssize_t{width}});
  const float* from = scores.data();
  float* to = out.mutable_data();
  const Interpolation mode = interpolation_of(interpolation);
  py::gil_scoped_release release;
  const AxisWeights rows = row_weights(plan, height, mode), cols = col_weights(plan, width, mode);
  for (int q = 0; q < queries; ++q) {
    upsample_scores(from, queries, q, rows, cols, to + ssize_t{q} * height * width,
                    pool_of(threads));
  }
  return out;
}

}  // namespace

void bind_label_decoding(py::module_& ops) {
  ops.def("decode_labels", &decode);
  ops.def("upsample_scores", &upsample);
}

}  // namespace vocabseg::ops
