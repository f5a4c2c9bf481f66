// vocabseg._core.ops: mask pooling on NumPy arrays.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <vector>

#include "kernels/mask_pooling/cpu.h"
#include "ops/arrays.hpp"
#include "ops/ops.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::ops {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)
using namespace arrays;   // NOLINT(google-build-using-namespace)

// `push(rows, cols, weights, area, pool)` fills the weights of `count` masks of height x width
// pixels.
template <class Push>
py::tuple pool_masks(const Floats& features, const WindowPlan& plan, ssize_t count, ssize_t height,
                     ssize_t width, int threads, const Push& push) {
  check_plan(plan);
  const ssize_t patches = ssize_t{plan.grid_h} * plan.grid_w;
  expect_shape(features, "features", {plan.windows(), patches, -1});
  if (count < 0 || height < 1 || width < 1) throw MaskError("masks have no pixels");
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

}  // namespace

void bind_mask_pooling(py::module_& ops) {
  ops.def("pool_bool", &pool_bool);
  ops.def("pool_labels", &pool_labels);
  ops.def("pool_rle", &pool_rle);
}

}  // namespace vocabseg::ops
