#include "vocabseg/segmenter.hpp"

#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "inputs.hpp"
#include "settings.hpp"
#include "vocabseg/error.hpp"

namespace py = pybind11;

namespace vocabseg {
namespace {

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

// `pixels`: an ImageView or FramePixels.
template <class Pixels>
py::dict segment_pixels(Segmenter& segmenter, const Pixels& pixels, const SegmentOptions& options) {
  Segmentation out;
  {
    py::gil_scoped_release release;
    out = segmenter.segment(pixels, options);
  }
  const std::vector<py::ssize_t> shape = {out.height, out.width};
  py::dict result;
  result["labels"] = std::visit(
      [&](auto& labels) -> py::array { return to_array(std::move(labels), shape); }, out.labels);
  result["scores"] = py::none();
  if (options.scores) result["scores"] = to_array(std::move(out.scores), shape);
  result["timing"] = to_dict(out.timing);
  result["backend"] = out.backend;
  return result;
}

py::dict segment(Segmenter& segmenter, const py::array& array, bool scores,
                 std::optional<float> threshold, std::optional<float> logit_scale) {
  const ImageArray image = view_image(array);
  return segment_pixels(segmenter, image.view, {scores, threshold, logit_scale});
}

py::dict segment_frame(Segmenter& segmenter, const FrameArray& frame, bool scores,
                       std::optional<float> threshold, std::optional<float> logit_scale) {
  return segment_pixels(segmenter, frame.pixels, {scores, threshold, logit_scale});
}

template <class Pixels>
py::dict classify_masks_of(Segmenter& segmenter, const Pixels& pixels, const py::object& value) {
  py::object keep;
  const Masks masks = view_masks(value, pixels.height, pixels.width, keep);
  RegionLabels out;
  {
    py::gil_scoped_release release;
    out = segmenter.classify_masks(pixels, masks);
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

py::dict classify_masks(Segmenter& segmenter, const py::array& array, const py::object& value) {
  return classify_masks_of(segmenter, view_image(array).view, value);
}

py::dict classify_masks_of_frame(Segmenter& segmenter, const FrameArray& frame,
                                 const py::object& value) {
  return classify_masks_of(segmenter, frame.pixels, value);
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
                                          const py::object& log, const std::string& cubins,
                                          const std::string& engines, bool allow_smaller_batch) {
  Settings settings = make_settings(backend, threads, precision, log);
  settings.cubins = cubins;
  settings.engines = engines;
  settings.allow_smaller_batch = allow_smaller_batch;
  py::gil_scoped_release release;
  return std::make_unique<Segmenter>(bundle, settings);
}

}  // namespace

void bind_segmenter(py::module_& module) {
  py::class_<Segmenter>(module, "Segmenter", "Segments frames with one bundle.")
      .def(py::init(&make_segmenter), py::arg("bundle"), py::arg("backend") = "auto",
           py::arg("threads") = 0, py::arg("precision") = "auto", py::arg("log") = py::none(),
           py::arg("cubins") = "", py::arg("engines") = "", py::arg("allow_smaller_batch") = false)
      .def("set_vocabulary", set_vocabulary, py::arg("query_to_class"), py::arg("classes"),
           py::arg("background"), py::arg("embeddings"),
           "int32 [Q], number of classes, background classes, float32 [Q, D] unit rows.")
      .def("segment", segment, py::arg("image"), py::arg("scores") = true,
           py::arg("threshold") = py::none(), py::arg("logit_scale") = py::none(),
           "uint8 [H, W, 3] of any strides -> dict of labels, scores, timing (ms) and backend.")
      .def("segment", segment_frame, py::arg("frame"), py::arg("scores") = true,
           py::arg("threshold") = py::none(), py::arg("logit_scale") = py::none(),
           "The same of a Frame.")
      .def("classify_masks", classify_masks_of_frame, py::arg("frame"), py::arg("masks"),
           "The same as of an image.")
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
