// Arrays of a float type, as the ops that convert row by row take them.
#pragma once

#include <string>

#include "kernels/common/float_types.h"
#include "ops/arrays.hpp"

namespace vocabseg::arrays {

// A dense array of float32, or of the bits of a 16-bit type as uint16.
struct FloatRows {
  py::array array;
  kernels::FloatType type;
};

inline kernels::FloatType float_type(const std::string& name) {
  if (name == "float32") return kernels::FloatType::kFloat32;
  if (name == "float16") return kernels::FloatType::kFloat16;
  if (name == "bfloat16") return kernels::FloatType::kBFloat16;
  throw ShapeError("got " + name + ", expected float32, float16 or bfloat16");
}

inline FloatRows float_rows(const py::array& array, kernels::FloatType type) {
  if (type == kernels::FloatType::kFloat32) return {Floats::ensure(array), type};
  if (array.dtype().kind() == 'u' && array.itemsize() == 2) {
    return {Dense<uint16_t>::ensure(array), type};
  }
  throw ShapeError("expected the bits of 16-bit floats as uint16");
}

}  // namespace vocabseg::arrays
