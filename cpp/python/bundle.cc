#include "vocabseg/bundle.hpp"

#include "bindings.hpp"

namespace py = pybind11;

namespace vocabseg {

void bind_bundle(py::module_& module) {
  py::class_<Bundle>(module, "Bundle", "A verified bundle folder.")
      .def_static(
          "open", [](const std::string& folder) { return Bundle::open(folder); }, py::arg("folder"),
          py::call_guard<py::gil_scoped_release>(),
          "Open a folder and check the SHA-256 of every file in it. Raises BundleError.")
      .def("manifest_json", &Bundle::manifest_json, "The text of manifest.json.")
      .def(
          "file",
          [](const Bundle& bundle, const std::string& name) { return bundle.file(name).string(); },
          py::arg("name"), "The path of a file that the manifest lists.")
      .def_property_readonly("folder",
                             [](const Bundle& bundle) { return bundle.folder().string(); });
}

}  // namespace vocabseg
