// vocabseg._core.ops: pamr on NumPy arrays.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <vector>

#include "kernels/pamr/cpu.h"
#include "ops/arrays.hpp"
#include "ops/ops.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::ops {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)
using namespace arrays;   // NOLINT(google-build-using-namespace)

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
  pamr.refine(to, queries, steps);
  return out;
}

}  // namespace

void bind_pamr(py::module_& ops) { ops.def("pamr", &refine); }

}  // namespace vocabseg::ops
