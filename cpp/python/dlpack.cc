// vocabseg._core.dlpack: arrays in any memory, exchanged with other libraries by DLPack capsules
// (https://dmlc.github.io/dlpack). vocabseg/device_arrays.py is its Python face.
#include <pybind11/stl.h>

#include <memory>
#include <vector>

#include "bindings.hpp"
#include "vocabseg/error.hpp"

namespace py = pybind11;

namespace vocabseg {
namespace {

constexpr const char* kFresh = "dltensor";       // nobody has taken the array yet
constexpr const char* kTaken = "used_dltensor";  // whoever took it calls the deleter

// The layout that DLPack fixes for a capsule named "dltensor".
struct DlTensor {
  void* data;
  int32_t device_type, device_id;
  int32_t ndim;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape, *strides;  // in elements; no strides: row-major without gaps
  uint64_t byte_offset;
};
struct Managed {
  DlTensor tensor;
  void* context;
  void (*deleter)(Managed*);
};

// An array of ours in another library's hands.
struct Given {
  Managed managed{};
  std::vector<int64_t> shape, strides;
  py::object owner;
};

// The other library may let go of it in any thread, or after Python has ended.
void release_given(Managed* managed) {
  if (!Py_IsInitialized()) return;
  const py::gil_scoped_acquire acquire;
  delete static_cast<Given*>(managed->context);
}

void drop_untaken(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, kFresh)) return;
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, kFresh));
  if (managed->deleter) managed->deleter(managed);
}

py::capsule give(uintptr_t address, std::vector<int64_t> shape, int code, int bits, int device_type,
                 int device_id, py::object owner) {
  auto given = std::make_unique<Given>();
  given->shape = std::move(shape);
  given->owner = std::move(owner);
  given->strides.resize(given->shape.size());
  int64_t step = 1;
  for (size_t i = given->shape.size(); i-- > 0; step *= given->shape[i]) given->strides[i] = step;
  DlTensor& tensor = given->managed.tensor;
  tensor.data = reinterpret_cast<void*>(address);
  tensor.device_type = device_type, tensor.device_id = device_id;
  tensor.ndim = static_cast<int32_t>(given->shape.size());
  tensor.code = static_cast<uint8_t>(code), tensor.bits = static_cast<uint8_t>(bits);
  tensor.lanes = 1;
  tensor.shape = given->shape.data(), tensor.strides = given->strides.data();
  given->managed.context = given.get();
  given->managed.deleter = release_given;
  PyObject* capsule = PyCapsule_New(&given->managed, kFresh, drop_untaken);
  if (!capsule) throw py::error_already_set();
  given.release();
  return py::reinterpret_steal<py::capsule>(capsule);
}

// Calls the deleter of an array that was taken, when the last view of it goes.
py::capsule owner_of(Managed* managed) {
  return py::capsule(managed, [](void* pointer) {
    auto* held = static_cast<Managed*>(pointer);
    if (held->deleter) held->deleter(held);
  });
}

py::dict take(const py::object& capsule) {
  if (!PyCapsule_IsValid(capsule.ptr(), kFresh)) {
    throw ShapeError("got " + py::repr(capsule).cast<std::string>() +
                     ", expected a DLPack capsule that nobody has taken yet");
  }
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule.ptr(), kFresh));
  PyCapsule_SetName(capsule.ptr(), kTaken);
  const DlTensor& tensor = managed->tensor;
  const auto list = [&](const int64_t* values) {
    return py::tuple(py::cast(std::vector<int64_t>(values, values + tensor.ndim)));
  };
  py::dict out;
  out["owner"] = owner_of(managed);
  out["address"] = reinterpret_cast<uintptr_t>(tensor.data) + tensor.byte_offset;
  out["shape"] = list(tensor.shape);
  out["strides"] = tensor.strides ? py::object(list(tensor.strides)) : py::none();
  out["code"] = tensor.code;
  out["bits"] = tensor.bits;
  out["lanes"] = tensor.lanes;
  return out;
}

}  // namespace

void bind_dlpack(py::module_& parent) {
  py::module_ module = parent.def_submodule("dlpack", "Arrays exchanged by DLPack capsules.");
  module.def("take", &take, py::arg("capsule"),
             "What a capsule describes: owner (keep it while the memory is used), address, shape, "
             "strides in elements or None, code, bits, lanes. Raises ShapeError.");
  module.def("give", &give, py::arg("address"), py::arg("shape"), py::arg("code"), py::arg("bits"),
             py::arg("device_type"), py::arg("device_id"), py::arg("owner"),
             "A capsule of a row-major array that keeps `owner` alive.");
}

}  // namespace vocabseg
