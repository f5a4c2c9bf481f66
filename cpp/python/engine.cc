#include "vocabseg/engine.hpp"

#include <pybind11/stl.h>

#include "bindings.hpp"
#include "cpu_features.hpp"
#include "openvino_engine.hpp"

namespace py = pybind11;

namespace vocabseg {
namespace {

py::list list_backends() {
  std::vector<BackendInfo> found;
  {
    py::gil_scoped_release release;
    found = backends();
  }
  py::list out;
  for (const BackendInfo& backend : found) {
    out.append(py::dict(py::arg("id") = backend.id, py::arg("available") = backend.available,
                        py::arg("reason") = backend.reason));
  }
  return out;
}

}  // namespace

void bind_engine(py::module_& module) {
  module.def("backends", list_backends,
             "Every known backend, best first: a list of dicts with id, available and reason.");
  module.def("cpu_features", cpu_features, "Extensions of this CPU, by their names in cpuinfo.");
  module.def("openvino_version", openvino_version, "Version of the OpenVINO that is loaded.");
}

}  // namespace vocabseg
