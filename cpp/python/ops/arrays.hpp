// NumPy arrays as the ops take them.
#pragma once

#include <pybind11/numpy.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kernels/common/image_view.h"
#include "kernels/common/thread_pool.h"
#include "vocabseg/error.hpp"

namespace vocabseg::arrays {

namespace py = pybind11;
using py::ssize_t;

template <class T>
using Dense = py::array_t<T, py::array::c_style | py::array::forcecast>;
using Floats = Dense<float>;

// One pool per thread count, made on first use and kept for good. A forked process has none of its
// parent's threads, so it makes its own.
inline kernels::ThreadPool& pool_of(int threads) {
  static auto* pools = new std::map<std::pair<pid_t, int>, std::unique_ptr<kernels::ThreadPool>>;
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  auto& pool = (*pools)[{getpid(), threads}];
  if (!pool) pool = std::make_unique<kernels::ThreadPool>(threads);
  return *pool;
}

inline std::string shape_of(const py::array& array) {
  std::string text;
  for (ssize_t i = 0; i < array.ndim(); ++i) {
    text += (i ? ", " : "") + std::to_string(array.shape(i));
  }
  return "[" + text + "]";
}

// -1 stands for any length.
inline void expect_shape(const py::array& array, const char* name,
                         const std::vector<ssize_t>& shape) {
  bool fits = array.ndim() == static_cast<ssize_t>(shape.size());
  std::string expected;
  for (size_t i = 0; i < shape.size(); ++i) {
    fits = fits && (shape[i] < 0 || array.shape(i) == shape[i]);
    expected += (i ? ", " : "") + (shape[i] < 0 ? "any" : std::to_string(shape[i]));
  }
  if (fits) return;
  throw ShapeError(std::string("got ") + name + " of shape " + shape_of(array) + ", expected [" +
                   expected + "]");
}

inline kernels::ImageView view(const py::array_t<uint8_t>& image) {
  expect_shape(image, "an image", {-1, -1, -1});
  if (image.strides(2) != 1) throw ShapeError("an image's channels must be adjacent");
  return {image.data(),
          static_cast<int>(image.shape(0)),
          static_cast<int>(image.shape(1)),
          image.strides(0),
          image.strides(1),
          static_cast<int>(image.shape(2))};
}

inline void expect_size(int height, int width) {
  if (height > 0 && width > 0) return;
  throw ShapeError("got an output of " + std::to_string(height) + " x " + std::to_string(width) +
                   ", expected at least 1 x 1");
}

}  // namespace vocabseg::arrays
