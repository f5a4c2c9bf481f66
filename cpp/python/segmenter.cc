#include "vocabseg/segmenter.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <tuple>

#include "arrays.hpp"
#include "bindings.hpp"
#include "settings.hpp"
#include "vocabseg/error.hpp"

namespace py = pybind11;

namespace vocabseg {
namespace {

// A view of an array, and the array that it looks into.
struct ImageArray {
  py::array array;
  ImageView view;
};

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

py::dict to_dict(const Timing& timing) {
  py::dict out;
  for (const auto& [stage, milliseconds] : timing) out[py::str(stage)] = milliseconds;
  return out;
}

void set_vocabulary(Segmenter& segmenter, const DenseArray<int32_t>& query_to_class, int classes,
                    const std::vector<int32_t>& background, const DenseArray<float>& embeddings) {
  if (query_to_class.ndim() != 1 || embeddings.ndim() != 2 ||
      query_to_class.shape(0) != embeddings.shape(0) || classes < 0) {
    throw VocabularyError("got class indices " + describe(query_to_class) + " and text rows " +
                          describe(embeddings) + ", expected [Q] and [Q, D]");
  }
  Vocabulary vocabulary;
  const int32_t* first = query_to_class.data();
  vocabulary.words.query_to_class.assign(first, first + query_to_class.size());
  vocabulary.words.queries.resize(vocabulary.words.query_to_class.size());
  vocabulary.words.names.resize(static_cast<size_t>(classes));
  vocabulary.words.background = background;
  vocabulary.embeddings.assign(embeddings.data(), embeddings.data() + embeddings.size());
  vocabulary.dim = static_cast<int>(embeddings.shape(1));
  py::gil_scoped_release release;
  segmenter.set_vocabulary(vocabulary);
}

py::dict segment(Segmenter& segmenter, const py::array& array, bool scores,
                 std::optional<float> threshold, std::optional<float> logit_scale) {
  const ImageArray image = view_image(array);
  Segmentation out;
  {
    py::gil_scoped_release release;
    out = segmenter.segment(image.view, {scores, threshold, logit_scale});
  }
  const std::vector<py::ssize_t> shape = {out.height, out.width};
  py::dict result;
  result["labels"] = std::visit(
      [&](auto& labels) -> py::array { return to_array(std::move(labels), shape); }, out.labels);
  result["scores"] = py::none();
  if (scores) result["scores"] = to_array(std::move(out.scores), shape);
  result["timing"] = to_dict(out.timing);
  result["backend"] = out.backend;
  return result;
}

using RunLengthCode = std::tuple<int, int, DenseArray<uint32_t>>;

// Masks of an image, from one of the accepted forms. `keep` holds the memory that they look into.
Masks view_masks(const py::object& value, const ImageView& image, py::object& keep) {
  Masks masks;
  masks.height = image.height, masks.width = image.width;
  if (!py::isinstance<py::array>(value)) {
    RunLengths codes;
    for (const auto& [height, width, counts] : value.cast<std::vector<RunLengthCode>>()) {
      if (height != image.height || width != image.width)
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

py::dict classify_masks(Segmenter& segmenter, const py::array& array, const py::object& value) {
  const ImageArray image = view_image(array);
  py::object keep;
  const Masks masks = view_masks(value, image.view, keep);
  RegionLabels out;
  {
    py::gil_scoped_release release;
    out = segmenter.classify_masks(image.view, masks);
  }
  const auto regions = static_cast<py::ssize_t>(out.class_ids.size());
  py::dict result;
  result["class_ids"] = to_array(std::move(out.class_ids), {regions});
  result["scores"] = to_array(std::move(out.scores), {regions});
  result["area"] = to_array(std::move(out.area), {regions});
  result["features"] = to_array(std::move(out.features), {regions, out.dim});
  result["timing"] = to_dict(out.timing);
  result["backend"] = out.backend;
  return result;
}

py::array_t<float> features(Segmenter& segmenter, const py::array& array) {
  const ImageArray image = view_image(array);
  FeatureMap map;
  {
    py::gil_scoped_release release;
    map = segmenter.features(image.view);
  }
  return to_array(std::move(map.features), {map.height, map.width, map.dim});
}

void check_windows(const Manifest& manifest, const DenseArray<float>& windows) {
  const WindowSpec& window = manifest.window;
  if (windows.ndim() == 4 && windows.shape(1) == 3 && windows.shape(2) == window.height &&
      windows.shape(3) == window.width) {
    return;
  }
  throw ShapeError("got windows of " + describe(windows) + ", expected float32 [B, 3, " +
                   std::to_string(window.height) + ", " + std::to_string(window.width) + "]");
}

py::array_t<float> encode_windows(Segmenter& segmenter, const DenseArray<float>& windows) {
  const Manifest& manifest = segmenter.manifest();
  check_windows(manifest, windows);
  const auto count = windows.shape(0);
  std::vector<float> out;
  {
    py::gil_scoped_release release;
    out = segmenter.encode_windows(windows.data(), count);
  }
  return to_array(std::move(out),
                  {count, py::ssize_t{manifest.grid_h} * manifest.grid_w, manifest.embed_dim});
}

py::array_t<float> encode_feedback(Segmenter& segmenter, const DenseArray<float>& windows,
                                   const DenseArray<int32_t>& patch_labels) {
  const Manifest& manifest = segmenter.manifest();
  const py::ssize_t patches = py::ssize_t{manifest.grid_h} * manifest.grid_w;
  check_windows(manifest, windows);
  const auto count = windows.shape(0);
  if (patch_labels.ndim() != 2 || patch_labels.shape(0) != count ||
      patch_labels.shape(1) != patches) {
    throw ShapeError("got patch labels of " + describe(patch_labels) + ", expected int32 [" +
                     std::to_string(count) + ", " + std::to_string(patches) + "]");
  }
  std::vector<float> out;
  {
    py::gil_scoped_release release;
    out = segmenter.encode_feedback(windows.data(), patch_labels.data(), count);
  }
  return to_array(std::move(out), {count, patches, manifest.embed_dim});
}

py::array_t<int32_t> segments(Segmenter& segmenter, const py::array& array) {
  const ImageArray image = view_image(array);
  Segments out;
  {
    py::gil_scoped_release release;
    out = segmenter.segments(image.view);
  }
  return to_array(std::move(out.ids), {out.height, out.width});
}

py::dict plan(const Segmenter& segmenter, int height, int width) {
  const FrameGeometry g = segmenter.geometry(height, width);
  return py::dict(py::arg("source_h") = height, py::arg("source_w") = width,
                  py::arg("net_h") = g.net_h, py::arg("net_w") = g.net_w,
                  py::arg("window_h") = g.window_h, py::arg("window_w") = g.window_w,
                  py::arg("padded_h") = g.padded_h, py::arg("padded_w") = g.padded_w,
                  py::arg("pad_top") = g.pad_top, py::arg("pad_left") = g.pad_left,
                  py::arg("ys") = g.ys, py::arg("xs") = g.xs, py::arg("grid_h") = g.grid_h,
                  py::arg("grid_w") = g.grid_w);
}

std::unique_ptr<Segmenter> make_segmenter(const Bundle& bundle, const std::string& backend,
                                          int threads, const std::string& precision,
                                          const py::object& log, const std::string& cubins) {
  Settings settings = make_settings(backend, threads, precision, log);
  settings.cubins = cubins;
  py::gil_scoped_release release;
  return std::make_unique<Segmenter>(bundle, settings);
}

}  // namespace

void bind_segmenter(py::module_& module) {
  py::class_<Segmenter>(module, "Segmenter", "Segments frames with one bundle.")
      .def(py::init(&make_segmenter), py::arg("bundle"), py::arg("backend") = "auto",
           py::arg("threads") = 0, py::arg("precision") = "auto", py::arg("log") = py::none(),
           py::arg("cubins") = "")
      .def("set_vocabulary", set_vocabulary, py::arg("query_to_class"), py::arg("classes"),
           py::arg("background"), py::arg("embeddings"),
           "int32 [Q], number of classes, background classes, float32 [Q, D] unit rows.")
      .def("segment", segment, py::arg("image"), py::arg("scores") = true,
           py::arg("threshold") = py::none(), py::arg("logit_scale") = py::none(),
           "uint8 [H, W, 3] of any strides -> dict of labels, scores, timing (ms) and backend.")
      .def("classify_masks", classify_masks, py::arg("image"), py::arg("masks"),
           "bool [M, H, W], int32 [H, W] or a list of (H, W, uint32 counts) -> dict of class_ids, "
           "scores, area, features, timing and backend.")
      .def("features", features, py::arg("image"),
           "float32 [h, w, D]: unit features on the frame's patch grid.")
      .def("encode_windows", encode_windows, py::arg("windows"),
           "float32 [B, 3, Hc, Wc], normalised -> float32 [B, N, D]: the image engine alone.")
      .def("encode_feedback", encode_feedback, py::arg("windows"), py::arg("patch_labels"),
           "Both passes, with int32 [B, N] labels of patches in place of the words'.")
      .def("segments", segments, py::arg("image"),
           "int32 [H, W]: the frame's segments, numbered from 0; -1 where there is none.")
      .def("cancel", &Segmenter::cancel, "Make the call that runs now raise Cancelled.")
      .def("plan", plan, py::arg("height"), py::arg("width"),
           "Where the windows of a frame lie, as a dict.")
      .def_property_readonly("backend", &Segmenter::backend)
      .def_property_readonly("backend_reason", &Segmenter::backend_reason);
}

}  // namespace vocabseg
