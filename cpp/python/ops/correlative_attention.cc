// vocabseg._core.ops: correlative attention on NumPy arrays.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/correlative_attention/cpu.h"
#include "ops/arrays.hpp"
#include "ops/float_rows.hpp"
#include "ops/ops.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::ops {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)
using namespace arrays;   // NOLINT(google-build-using-namespace)

// Tokens are read through their strides, if only their channels are adjacent: heads are often views
// of one array [B, N, h * d].
py::array readable(const py::array& array, FloatType type) {
  const auto size = static_cast<ssize_t>(size_of(type));
  const bool right_type =
      array.itemsize() == size && array.dtype().kind() == (size == 2 ? 'u' : 'f');
  if (!right_type) throw ShapeError("expected float32, or the bits of a 16-bit type as uint16");
  bool whole = array.ndim() == 4 && array.strides(3) == size;
  for (ssize_t i = 0; whole && i < 3; ++i) whole = array.strides(i) % size == 0;
  return whole ? array : float_rows(array, type).array;
}

TokenArray view(const py::array& array) {
  const ssize_t size = array.itemsize();
  return {array.data(), array.strides(0) / size, array.strides(1) / size, array.strides(2) / size};
}

TokenKind kind_of(char name) {
  if (name == 'q') return kQuery;
  if (name == 'k') return kKey;
  if (name == 'v') return kValue;
  throw ShapeError(std::string("got a term with ") + name + ", expected q, k or v");
}

std::vector<AttentionTerm> terms_of(const std::vector<std::string>& names) {
  std::vector<AttentionTerm> terms;
  for (const std::string& name : names) {
    if (name.size() != 2) throw ShapeError("got term " + name + ", expected two letters");
    terms.push_back({kind_of(name[0]), kind_of(name[1])});
  }
  return terms;
}

// A bias [B or 1, h or 1, N or 1, N].
AttentionBias bias_of(const Floats& bias, const AttentionShape& shape) {
  const ssize_t full[] = {shape.batch, shape.heads, shape.tokens, shape.tokens};
  int64_t strides[3];
  bool fits = bias.ndim() == 4 && bias.shape(3) == full[3];
  for (ssize_t i = 0; fits && i < 3; ++i) {
    fits = bias.shape(i) == full[i] || bias.shape(i) == 1;
    strides[i] = bias.shape(i) == 1 ? 0 : bias.strides(i) / static_cast<ssize_t>(sizeof(float));
  }
  if (!fits) throw ShapeError("got a bias of shape " + shape_of(bias) + " that does not fit");
  return {bias.data(), strides[0], strides[1], strides[2]};
}

py::array attention(const py::array& q, const py::array& k, const py::array& v,
                    const std::string& dtype, const std::vector<std::string>& terms, bool mean,
                    float scale, const std::optional<Floats>& bias, float std,
                    const std::pair<int64_t, int64_t>& grid, int threads) {
  const FloatType type = float_type(dtype);
  const py::array tokens[] = {readable(q, type), readable(k, type), readable(v, type)};
  expect_shape(tokens[0], "q", {-1, -1, -1, -1});
  const AttentionShape shape{q.shape(0), q.shape(1), q.shape(2), q.shape(3)};
  const std::vector<ssize_t> dims{shape.batch, shape.heads, shape.tokens, shape.d};
  expect_shape(tokens[1], "k", dims);
  expect_shape(tokens[2], "v", dims);
  AttentionOptions options{terms_of(terms), mean, scale, {}, {std, grid.first, grid.second}};
  if (bias) options.bias = bias_of(*bias, shape);
  py::array out(type == FloatType::kFloat32 ? py::dtype::of<float>() : py::dtype::of<uint16_t>(),
                dims);
  void* to = out.mutable_data();
  const TokenArray views[] = {view(tokens[0]), view(tokens[1]), view(tokens[2])};
  {
    py::gil_scoped_release release;
    correlative_attention(views[0], views[1], views[2], type, shape, options, to, pool_of(threads));
  }
  return out;
}

}  // namespace

void bind_correlative_attention(py::module_& ops) { ops.def("correlative_attention", &attention); }

}  // namespace vocabseg::ops
