// vocabseg._core.ops: patch text similarity on NumPy arrays.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "kernels/patch_text_similarity/cpu.h"
#include "ops/arrays.hpp"
#include "ops/ops.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::ops {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)
using namespace arrays;   // NOLINT(google-build-using-namespace)

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

}  // namespace

void bind_patch_text_similarity(py::module_& ops) { ops.def("patch_text_similarity", &similarity); }

}  // namespace vocabseg::ops
