// vocabseg._core.ops: ResCLIP's semantic map on NumPy arrays.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <string>

#include "kernels/same_region/cpu.h"
#include "ops/arrays.hpp"
#include "ops/ops.hpp"

namespace vocabseg::ops {
namespace {

using namespace arrays;  // NOLINT(google-build-using-namespace)

Floats shared_regions(const Dense<int32_t>& labels, std::array<int, 2> grid, bool connected,
                      bool strict, int threads) {
  const ssize_t patches = ssize_t{grid[0]} * grid[1];
  expect_shape(labels, "labels", {patches});
  Floats out({patches, patches});
  const int32_t* from = labels.data();
  float* to = out.mutable_data();
  py::gil_scoped_release release;
  kernels::same_region(from, grid[0], grid[1], {connected, strict}, to, pool_of(threads));
  return out;
}

py::array_t<int32_t> majority(const Dense<uint16_t>& labels, int classes, std::array<int, 2> grid,
                              int threads) {
  expect_shape(labels, "labels", {-1, -1});
  const auto height = static_cast<int>(labels.shape(0)), width = static_cast<int>(labels.shape(1));
  const uint16_t* from = labels.data();
  if (std::any_of(from, from + labels.size(), [&](uint16_t label) { return label >= classes; })) {
    throw ShapeError("a label is not below " + std::to_string(classes));
  }
  py::array_t<int32_t> out(ssize_t{grid[0]} * grid[1]);
  int32_t* to = out.mutable_data();
  py::gil_scoped_release release;
  kernels::patch_majority(from, height, width, classes, grid[0], grid[1], to, pool_of(threads));
  return out;
}

}  // namespace

void bind_same_region(py::module_& ops) {
  ops.def("same_region", &shared_regions, py::arg("labels"), py::arg("grid"), py::arg("connected"),
          py::arg("strict"), py::arg("threads"));
  ops.def("patch_majority", &majority);
}

}  // namespace vocabseg::ops
