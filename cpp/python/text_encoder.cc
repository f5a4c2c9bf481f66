#include "vocabseg/text_encoder.hpp"

#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "settings.hpp"

namespace py = pybind11;

namespace vocabseg {
namespace {

py::array_t<float> encode(const TextEncoder& encoder, const std::vector<std::string>& prompts) {
  std::vector<float> rows;
  {
    py::gil_scoped_release release;
    rows = encoder.encode(prompts);
  }
  return to_array(std::move(rows), {static_cast<py::ssize_t>(prompts.size()), encoder.dim()});
}

}  // namespace

void bind_text_encoder(py::module_& module) {
  py::class_<TextEncoder>(module, "TextEncoder", "A bundle's text tower.")
      .def(py::init([](const Bundle& bundle, const std::string& backend, int threads,
                       const std::string& precision) {
             const Settings settings = make_settings(backend, threads, precision, py::none());
             py::gil_scoped_release release;
             return TextEncoder(bundle, settings);
           }),
           py::arg("bundle"), py::arg("backend") = "auto", py::arg("threads") = 0,
           py::arg("precision") = "auto")
      .def_static(
          "for_words",
          [](const Bundle& bundle, const std::string& backend, int threads,
             const std::string& engines, bool allow_smaller_batch, const py::object& log) {
            Settings settings = make_settings(backend, threads, "auto", log);
            settings.engines = engines;
            settings.allow_smaller_batch = allow_smaller_batch;
            py::gil_scoped_release release;
            return TextEncoder::for_words(bundle, settings);
          },
          py::arg("bundle"), py::arg("backend") = "auto", py::arg("threads") = 0,
          py::arg("engines") = "", py::arg("allow_smaller_batch") = false,
          py::arg("log") = py::none(),
          "For rows that are kept: float32, or the precision of TensorRT's engine.")
      .def("encode", encode, py::arg("prompts"), "float32 [T, D], one unit row per prompt.")
      .def_property_readonly("backend", &TextEncoder::backend);
}

}  // namespace vocabseg
