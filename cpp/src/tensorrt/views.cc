#include "tensorrt/views.hpp"

#include <algorithm>

#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

constexpr uintptr_t kAlignment = 256;

std::string shape_text(const int64_t* shape, size_t rank) {
  std::string out = "[";
  for (size_t i = 0; i < rank; ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

int32_t type_of(DType type) {
  return type == DType::kFloat32 ? VOCABSEG_TENSORRT_FLOAT32 : VOCABSEG_TENSORRT_INT64;
}

size_t bytes_of(const TensorView& view) {
  size_t bytes = view.dtype == DType::kFloat32 ? 4 : 8;
  for (const int64_t length : view.shape) bytes *= static_cast<size_t>(length);
  return bytes;
}

void check_shape(const vocabseg_tensorrt_tensor& tensor, const TensorView& view,
                 const std::string& rebuild) {
  const auto rank = static_cast<size_t>(tensor.rank);
  bool fits = view.shape.size() == rank, small = false;
  for (size_t i = 0; fits && i < rank; ++i) {
    const int64_t length = view.shape[i];
    small = tensor.is_input && length > 0 && length < tensor.smallest[i];
    fits = length > 0 && !small && (tensor.shape[i] < 0 || tensor.shape[i] == length) &&
           (!tensor.is_input || length <= tensor.largest[i]);
  }
  if (fits) return;
  const int64_t* limit = small ? tensor.smallest : tensor.largest;
  throw EngineMismatch(std::string("tensor ") + tensor.name + " is " +
                       shape_text(view.shape.data(), view.shape.size()) + ", the engine holds " +
                       (!tensor.is_input ? ""
                        : small          ? "at least "
                                         : "at most ") +
                       shape_text(tensor.is_input ? limit : tensor.shape, rank) + "; for a " +
                       (small ? "smaller" : "larger") + " batch run: " + rebuild + " --batch N");
}

void check_memory(const vocabseg_tensorrt_tensor& tensor, const TensorView& view, Memory memory) {
  if (view.memory != memory) {
    throw EngineError(std::string("tensor ") + tensor.name +
                      " is in another kind of memory than the first one, expected one kind");
  }
  if (memory == Memory::kDevice && reinterpret_cast<uintptr_t>(view.data) % kAlignment != 0) {
    throw EngineError(std::string("tensor ") + tensor.name + " is not aligned to " +
                      std::to_string(kAlignment) + " bytes; copy it to memory of its own");
  }
}

vocabseg_tensorrt_view convert(const vocabseg_tensorrt_tensor& tensor, const TensorView& view) {
  vocabseg_tensorrt_view out{};
  out.name = tensor.name;
  out.is_input = tensor.is_input;
  out.rank = tensor.rank;
  std::copy(view.shape.begin(), view.shape.end(), out.shape);
  out.data = view.data;
  return out;
}

std::string names_of(const std::vector<vocabseg_tensorrt_tensor>& tensors) {
  std::string out;
  for (const auto& tensor : tensors) out += (out.empty() ? "" : ", ") + std::string(tensor.name);
  return out;
}

}  // namespace

std::vector<vocabseg_tensorrt_tensor> tensors_of(const vocabseg_tensorrt_api& api,
                                                 const vocabseg_tensorrt_engine* engine) {
  std::vector<vocabseg_tensorrt_tensor> out(static_cast<size_t>(api.tensors(engine, nullptr, 0)));
  api.tensors(engine, out.data(), static_cast<int32_t>(out.size()));
  return out;
}

Batches batches_of(const std::vector<vocabseg_tensorrt_tensor>& tensors) {
  Batches out;
  for (const auto& tensor : tensors) {
    if (!tensor.is_input || tensor.rank == 0) continue;
    out.smallest = std::max(out.smallest, tensor.smallest[0]);
    out.largest = out.largest == 0 ? tensor.largest[0] : std::min(out.largest, tensor.largest[0]);
  }
  return out;
}

std::vector<int64_t> ViewList::input_shapes() const {
  std::vector<int64_t> shapes;
  for (const auto& view : list) {
    if (view.is_input) shapes.insert(shapes.end(), view.shape, view.shape + view.rank);
  }
  return shapes;
}

int64_t ViewList::batch() const {
  const auto input = std::find_if(list.begin(), list.end(),
                                  [](const auto& view) { return view.is_input && view.rank > 0; });
  return input == list.end() ? 0 : input->shape[0];
}

ViewList check_views(const std::vector<vocabseg_tensorrt_tensor>& tensors, const TensorMap& inputs,
                     const TensorMap& outputs, const std::string& rebuild) {
  ViewList views;
  for (const auto& tensor : tensors) {
    const TensorMap& given = tensor.is_input ? inputs : outputs;
    const auto view = given.find(tensor.name);
    if (view == given.end()) {
      throw EngineError(std::string("tensor ") + tensor.name + " is missing, the engine has " +
                        names_of(tensors) + "; run: " + rebuild);
    }
    if (type_of(view->second.dtype) != tensor.type) {
      throw EngineError(std::string("tensor ") + tensor.name +
                        " is of another type than the engine's; run: " + rebuild);
    }
    check_shape(tensor, view->second, rebuild);
    if (views.list.empty()) views.memory = view->second.memory;
    check_memory(tensor, view->second, views.memory);
    views.list.push_back(convert(tensor, view->second));
    views.bytes.push_back(bytes_of(view->second));
  }
  if (inputs.size() + outputs.size() != tensors.size()) {
    throw EngineError("got " + std::to_string(inputs.size() + outputs.size()) +
                      " tensors, the engine has " + names_of(tensors) + "; run: " + rebuild);
  }
  return views;
}

}  // namespace vocabseg
