// vocabseg._core.ops: patch text similarity on NumPy arrays.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "kernels/patch_text_similarity/cpu.h"
#include "ops/arrays.hpp"
#include "ops/float_rows.hpp"
#include "ops/ops.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::ops {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)
using namespace arrays;   // NOLINT(google-build-using-namespace)

using Classes = std::optional<Dense<int32_t>>;

// The arguments that both functions share, checked as far as memory safety needs.
struct Arguments {
  FloatRows features;
  const Floats& text;
  bool normalize;
  const Classes& query_to_class;
  int64_t classes;
  int threads;

  void check() const {
    expect_shape(features.array, "features", {-1, -1, -1});
    expect_shape(text, "text", {-1, features.array.shape(2)});
    if (query_to_class) expect_shape(*query_to_class, "query_to_class", {text.shape(0)});
  }
  Patches patches() const {
    const py::array& array = features.array;
    return {array.data(), features.type, array.shape(0), array.shape(1), array.shape(2)};
  }
  // Threads, packed text and classes, and the GIL released, while `body` runs.
  template <class Body>
  void run(const Body& body) const {
    const ssize_t queries = text.shape(0), d = text.shape(1);
    const float* rows = text.data();
    const QueryClasses of_query{query_to_class ? query_to_class->data() : nullptr, classes};
    const Patches from = patches();
    py::gil_scoped_release release;
    ThreadPool& pool = pool_of(threads);
    body(from, PackedMatrix::pack_transposed(rows, d, d, queries, pool),
         query_to_class ? &of_query : nullptr, pool);
  }
};

Floats similarity(const py::array& features, const std::string& type, const Floats& text,
                  bool normalize, const Classes& query_to_class, int64_t classes, int threads) {
  const Arguments arguments{
      float_rows(features, float_type(type)), text, normalize, query_to_class, classes, threads};
  arguments.check();
  const Patches from = arguments.patches();
  Floats out({from.windows, query_to_class ? classes : text.shape(0), from.n});
  float* to = out.mutable_data();
  arguments.run([&](const Patches& patches, const PackedMatrix& packed,
                    const QueryClasses* of_query, ThreadPool& pool) {
    if (of_query != nullptr) {
      class_similarity(patches, packed, normalize, *of_query, to, pool);
    } else {
      patch_text_similarity(patches, packed, normalize, to, pool);
    }
  });
  return out;
}

py::tuple top(const py::array& features, const std::string& type, const Floats& text,
              bool normalize, const Classes& query_to_class, int64_t classes, int threads) {
  const Arguments arguments{
      float_rows(features, float_type(type)), text, normalize, query_to_class, classes, threads};
  arguments.check();
  const Patches from = arguments.patches();
  Dense<int32_t> label({from.windows, from.n});
  Floats score({from.windows, from.n}), margin({from.windows, from.n});
  const TopClasses out{label.mutable_data(), score.mutable_data(), margin.mutable_data()};
  arguments.run(
      [&](const Patches& patches, const PackedMatrix& packed, const QueryClasses* of_query,
          ThreadPool& pool) { top_classes(patches, packed, normalize, of_query, out, pool); });
  return py::make_tuple(label, score, margin);
}

}  // namespace

void bind_patch_text_similarity(py::module_& ops) {
  ops.def("patch_text_similarity", &similarity);
  ops.def("top_classes", &top);
}

}  // namespace vocabseg::ops
