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

// Refined copies of maps [Q, H, W]; `make(pool)` makes the Pamr of their image.
template <class Make>
Floats refined(const Floats& maps, int steps, int threads, const Make& make) {
  Floats out({maps.shape(0), maps.shape(1), maps.shape(2)});
  const float* from = maps.data();
  float* to = out.mutable_data();
  const ssize_t count = maps.shape(0), values = maps.size();
  py::gil_scoped_release release;
  std::copy_n(from, values, to);
  make(pool_of(threads)).refine(to, count, steps);
  return out;
}

Floats refine_by_planes(const Floats& maps, const Floats& planes, int steps,
                        const std::vector<int>& dilations, int threads) {
  expect_shape(maps, "scores", {-1, -1, -1});
  expect_shape(planes, "image planes", {3, maps.shape(1), maps.shape(2)});
  const float* from = planes.data();
  const auto height = static_cast<int>(maps.shape(1)), width = static_cast<int>(maps.shape(2));
  return refined(maps, steps, threads,
                 [&](ThreadPool& pool) { return Pamr(from, height, width, dilations, pool); });
}

Floats refine_by_image(const Floats& maps, const py::array_t<uint8_t>& image, int steps,
                       const std::vector<int>& dilations, int threads) {
  expect_shape(maps, "scores", {-1, -1, -1});
  expect_shape(image, "an image", {maps.shape(1), maps.shape(2), 3});
  const ImageView from = view(image);
  return refined(maps, steps, threads,
                 [&](ThreadPool& pool) { return Pamr(from, dilations, pool); });
}

}  // namespace

void bind_pamr(py::module_& ops) {
  ops.def("pamr", &refine_by_planes);
  ops.def("pamr_image", &refine_by_image);
}

}  // namespace vocabseg::ops
