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

using Bytes = py::array_t<uint8_t>;
using Channels = std::array<float, 3>;

Resize resize_of(const std::string& name) {
  if (name == "bilinear") return Resize::kBilinear;
  if (name == "bicubic") return Resize::kBicubicAntialias;
  throw ShapeError("resize must be bilinear or bicubic, got " + name);
}

// 16-bit types come back as uint16.
template <class View>
py::array windows_of(const View& frame, const WindowPlan& plan, const std::string& resize,
                     const Channels& mean, const Channels& std, const std::string& dtype,
                     int threads) {
  check_plan(plan);
  const FloatType type = dtype == "float16"    ? FloatType::kFloat16
                         : dtype == "bfloat16" ? FloatType::kBFloat16
                                               : FloatType::kFloat32;
  const std::vector<ssize_t> shape{plan.windows(), 3, plan.padded_h, plan.padded_w};
  py::array out(type == FloatType::kFloat32 ? py::dtype::of<float>() : py::dtype::of<uint16_t>(),
                shape);
  const Resize filter = resize_of(resize);
  void* to = out.mutable_data();
  py::gil_scoped_release release;
  preprocess(frame, plan, filter, mean.data(), std.data(), type, to, pool_of(threads));
  return out;
}

py::array preprocess_image(const Bytes& image, bool bgr, const WindowPlan& plan,
                           const std::string& resize, const Channels& mean, const Channels& std,
                           const std::string& dtype, int threads) {
  ImageView frame = view(image);
  frame.order = bgr ? ChannelOrder::kBgr : ChannelOrder::kRgb;
  return windows_of(frame, plan, resize, mean, std, dtype, threads);
}

// luma [H, W], chroma [H / 2, W]; adjacent pixels are adjacent bytes.
py::array preprocess_nv12(const Bytes& luma, const Bytes& chroma, const WindowPlan& plan,
                          const std::string& resize, const Channels& mean, const Channels& std,
                          const std::string& dtype, int threads) {
  expect_shape(luma, "luma", {-1, -1});
  expect_shape(chroma, "chroma", {luma.shape(0) / 2, luma.shape(1)});
  const bool dense = luma.strides(1) == 1 && chroma.strides(1) == 1;
  if (!dense) throw ShapeError("the pixels of NV12 planes must be adjacent");
  const Nv12View frame{luma.data(),
                       chroma.data(),
                       static_cast<int>(luma.shape(0)),
                       static_cast<int>(luma.shape(1)),
                       luma.strides(0),
                       chroma.strides(0)};
  return windows_of(frame, plan, resize, mean, std, dtype, threads);
}

}  // namespace

void bind_preprocessing(py::module_& ops) {
  ops.def("preprocess", &preprocess_image);
  ops.def("preprocess_nv12", &preprocess_nv12);
}

}  // namespace vocabseg::ops
