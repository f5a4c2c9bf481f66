// vocabseg._core.ops: preprocessing on NumPy arrays.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <string>

#include "kernels/preprocessing/cpu.h"
#include "ops/arrays.hpp"
#include "ops/ops.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::ops {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)
using namespace arrays;   // NOLINT(google-build-using-namespace)

Floats preprocess_array(const py::array_t<uint8_t>& image, const WindowPlan& plan,
                        const std::string& resize, std::array<float, 3> mean,
                        std::array<float, 3> std, int threads) {
  if (resize != "bilinear" && resize != "bicubic") {
    throw ShapeError("resize must be bilinear or bicubic, got " + resize);
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

}  // namespace

void bind_preprocessing(py::module_& ops) { ops.def("preprocess", &preprocess_array); }

}  // namespace vocabseg::ops
