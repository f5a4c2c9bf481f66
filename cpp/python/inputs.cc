#include "inputs.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <tuple>

#include "arrays.hpp"
#include "bindings.hpp"
#include "vocabseg/error.hpp"

namespace py = pybind11;

namespace vocabseg {
namespace {

using RunLengthCode = std::tuple<int, int, DenseArray<uint32_t>>;

const uint8_t* bytes_at(uintptr_t address) { return reinterpret_cast<const uint8_t*>(address); }

FrameArray make_frame(uintptr_t pixels, int height, int width, int64_t row_stride,
                      int64_t pixel_stride, uintptr_t chroma, int64_t chroma_stride, bool on_device,
                      std::optional<uintptr_t> written_on, py::object owner) {
  FramePixels frame;
  frame.memory = on_device ? Memory::kDevice : Memory::kHost;
  frame.width = width, frame.height = height;
  frame.pixels = bytes_at(pixels), frame.chroma = bytes_at(chroma);
  frame.row_stride = row_stride, frame.pixel_stride = pixel_stride;
  frame.chroma_stride = chroma_stride;
  if (written_on) frame.written_on = Stream{reinterpret_cast<void*>(*written_on)};
  return {frame, std::move(owner)};
}

}  // namespace

ImageArray view_image(py::array array) {
  const bool valid = py::isinstance<py::array_t<uint8_t>>(array) && array.ndim() == 3 &&
                     (array.shape(2) == 3 || array.shape(2) == 4);
  if (!valid) {
    throw ImageError("got an array of " + describe(array) + ", expected uint8 [height, width, 3]");
  }
  // Only rows and pixels may have any stride.
  if (array.strides(2) != 1 || array.strides(0) == 0) array = DenseArray<uint8_t>(array);
  ImageView view;
  view.pixels = static_cast<const uint8_t*>(array.data());
  view.height = static_cast<int>(std::min<py::ssize_t>(array.shape(0), INT32_MAX));
  view.width = static_cast<int>(std::min<py::ssize_t>(array.shape(1), INT32_MAX));
  view.row_stride = array.strides(0);
  view.pixel_stride = array.strides(1);
  return {std::move(array), view};
}

Masks view_masks(const py::object& value, int image_height, int image_width, py::object& keep) {
  Masks masks;
  masks.height = image_height, masks.width = image_width;
  if (!py::isinstance<py::array>(value)) {
    RunLengths codes;
    for (const auto& [height, width, counts] : value.cast<std::vector<RunLengthCode>>()) {
      if (height != image_height || width != image_width)
        masks.height = height, masks.width = width;
      codes.emplace_back(counts.data(), counts.data() + counts.size());
    }
    masks.value = std::move(codes);
    return masks;
  }
  const auto array = value.cast<py::array>();
  if (py::isinstance<py::array_t<bool>>(array) && array.ndim() == 3) {
    const DenseArray<bool> dense(array);
    keep = dense;
    masks.height = static_cast<int>(dense.shape(1)), masks.width = static_cast<int>(dense.shape(2));
    masks.value = BoolMasks{reinterpret_cast<const uint8_t*>(dense.data()), dense.shape(0)};
  } else if (py::isinstance<py::array_t<int32_t>>(array) && array.ndim() == 2) {
    const DenseArray<int32_t> dense(array);
    keep = dense;
    masks.height = static_cast<int>(dense.shape(0)), masks.width = static_cast<int>(dense.shape(1));
    const int32_t* end = dense.data() + dense.size();
    const int64_t highest = dense.size() ? *std::max_element(dense.data(), end) : -1;
    masks.value = LabelMap{dense.data(), std::max<int64_t>(highest, -1) + 1};
  } else {
    throw MaskError("got masks of " + describe(array) +
                    ", expected bool [M, H, W], int32 [H, W] or a list of (H, W, counts)");
  }
  return masks;
}

void bind_frame(py::module_& module) {
  py::class_<FrameArray>(module, "Frame", "A frame in host or device memory, RGB or NV12.")
      .def(py::init(&make_frame), py::kw_only(), py::arg("pixels"), py::arg("height"),
           py::arg("width"), py::arg("row_stride"), py::arg("pixel_stride") = 3,
           py::arg("chroma") = 0, py::arg("chroma_stride") = 0, py::arg("on_device"),
           py::arg("written_on") = py::none(), py::arg("owner"),
           "Addresses and strides in bytes; `written_on` is a CUDA stream, or None where the bytes "
           "are there; `owner` lives as long as the frame.")
      .def_property_readonly("height", [](const FrameArray& frame) { return frame.pixels.height; })
      .def_property_readonly("width", [](const FrameArray& frame) { return frame.pixels.width; });
}

}  // namespace vocabseg
