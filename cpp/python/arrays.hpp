// Between NumPy arrays and the core's vectors.
#pragma once

#include <pybind11/numpy.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vocabseg {

// An array that takes over the vector's memory.
template <class T>
pybind11::array_t<T> to_array(std::vector<T>&& values, std::vector<pybind11::ssize_t> shape) {
  auto owner = std::make_unique<std::vector<T>>(std::move(values));
  const T* data = owner->data();
  pybind11::capsule release(owner.get(),
                            [](void* memory) { delete static_cast<std::vector<T>*>(memory); });
  owner.release();
  return pybind11::array_t<T>(std::move(shape), data, release);
}

// "uint8 [480, 640, 3]", for messages.
inline std::string describe(const pybind11::array& array) {
  std::string text = pybind11::str(array.dtype()).cast<std::string>() + " [";
  for (pybind11::ssize_t i = 0; i < array.ndim(); ++i) {
    text += (i ? ", " : "") + std::to_string(array.shape(i));
  }
  return text + "]";
}

template <class T>
using DenseArray = pybind11::array_t<T, pybind11::array::c_style | pybind11::array::forcecast>;

}  // namespace vocabseg
