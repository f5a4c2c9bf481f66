// vocabseg._core.cuda: cubins on the GPU.
#include <pybind11/stl.h>

#include <deque>
#include <set>

#include "bindings.hpp"
#include "vocabseg/cuda_kernels.hpp"
#include "vocabseg/error.hpp"

namespace py = pybind11;

namespace vocabseg {
namespace {

// Arguments with the names that they point to.
struct Arguments {
  std::deque<std::string> names;
  std::vector<cuda::Argument> list;
};

std::variant<const void*, int64_t, double> argument_value(const std::string& name,
                                                          py::handle value) {
  if (!PyIndex_Check(value.ptr())) {
    const double real = PyFloat_AsDouble(value.ptr());
    if (PyErr_Occurred()) throw py::error_already_set();
    return real;
  }
  const auto number = py::reinterpret_steal<py::int_>(PyNumber_Index(value.ptr()));
  if (!number) throw py::error_already_set();
  int overflow = 0;
  const int64_t narrow = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow) {
    throw ShapeError("argument " + name + " is " + py::str(number).cast<std::string>() +
                     ", expected an integer of 64 bits");
  }
  return narrow;
}

Arguments to_arguments(const py::dict& given) {
  Arguments arguments;
  for (const auto& [key, value] : given) {
    const std::string& name = arguments.names.emplace_back(key.cast<std::string>());
    arguments.list.push_back({name, argument_value(name, value)});
  }
  return arguments;
}

std::vector<int> architectures(const cuda::CubinSet& set) {
  std::set<int> found;
  for (const cuda::CubinInfo& cubin : set.cubins()) found.insert(cubin.arch);
  return {found.begin(), found.end()};
}

void launch(const cuda::CubinSet& set, const std::string& kernel, const std::string& dtype,
            const cuda::Variant& variant, const py::dict& given, uint64_t stream, int device) {
  const Arguments arguments = to_arguments(given);
  const py::gil_scoped_release release;
  set.load(kernel, dtype, variant, device)
      .launch(arguments.list, reinterpret_cast<void*>(static_cast<uintptr_t>(stream)));
}

void bind_values(py::module_& module) {
  py::class_<cuda::Device>(module, "Device", "A device that the CUDA driver shows.")
      .def_readonly("index", &cuda::Device::index)
      .def_readonly("name", &cuda::Device::name)
      .def_readonly("arch", &cuda::Device::arch, "Compute capability: 89 is 8.9.");
  py::class_<cuda::CubinInfo>(module, "Cubin", "A kernel of a set, compiled for an architecture.")
      .def_readonly("kernel", &cuda::CubinInfo::kernel)
      .def_readonly("dtype", &cuda::CubinInfo::dtype)
      .def_readonly("variant", &cuda::CubinInfo::variant)
      .def_readonly("arch", &cuda::CubinInfo::arch)
      .def_readonly("exact_arch", &cuda::CubinInfo::exact_arch, "Arch-specific code.")
      .def("runs_on", &cuda::CubinInfo::runs_on, py::arg("arch"),
           "Whether a device of an architecture runs it.");
}

}  // namespace

void bind_cuda(py::module_& parent) {
  py::module_ module = parent.def_submodule("cuda", "Kernels compiled ahead of time, on the GPU.");
  bind_values(module);
  module.def("devices", &cuda::devices, py::arg("library") = cuda::kDriverLibrary,
             py::call_guard<py::gil_scoped_release>(),
             "The devices of the CUDA driver. Raises BackendUnavailable where there is none.");
  py::class_<cuda::CubinSet>(module, "CubinSet", "A folder of cubins with its manifest.")
      .def_static(
          "open",
          [](const std::string& folder, const std::string& library) {
            return cuda::CubinSet::open(folder, library);
          },
          py::arg("folder"), py::arg("library") = cuda::kDriverLibrary,
          py::call_guard<py::gil_scoped_release>(),
          "Read a manifest and check that it fits the packs; needs no driver. Raises BundleError.")
      .def("verify", &cuda::CubinSet::verify, py::call_guard<py::gil_scoped_release>(),
           "Check the SHA-256 of every cubin. Raises BundleError.")
      .def_property_readonly("architectures", &architectures, "Such as [80, 87], ascending.")
      .def_property_readonly("kernels", &cuda::CubinSet::cubins, "Every cubin of the set.")
      .def("choose", &cuda::CubinSet::choose, py::arg("kernel"), py::arg("dtype"),
           py::arg("variant"), py::arg("arch"), py::return_value_policy::copy,
           "The cubin that a device of an architecture runs. Raises BackendUnavailable if none "
           "does.")
      .def(
          "launch", &launch, py::arg("kernel"), py::arg("dtype"), py::arg("variant"),
          py::arg("arguments"), py::arg("stream"), py::arg("device") = 0,
          "Queue a kernel on a stream (its address; 0 is the default stream) and return. Arguments "
          "are device addresses and integers (int) or float. Raises ShapeError, "
          "BackendUnavailable, "
          "BundleError or EngineError.");
}

}  // namespace vocabseg
