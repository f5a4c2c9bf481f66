// vocabseg._core.ops: clusters of patches and their maps, on NumPy arrays.
#include "kernels/clustering/cpu.h"
#include "ops/arrays.hpp"
#include "ops/ops.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::ops {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)
using namespace arrays;   // NOLINT(google-build-using-namespace)

py::array_t<int32_t> dbscan_rows(const Floats& rows, float eps, int min_samples, int threads) {
  expect_shape(rows, "rows", {-1, -1});
  const float* from = rows.data();
  const ssize_t n = rows.shape(0), d = rows.shape(1);
  std::vector<int32_t> labels;
  {
    py::gil_scoped_release release;
    labels = dbscan(from, n, d, eps, min_samples, pool_of(threads));
  }
  return py::array_t<int32_t>(static_cast<ssize_t>(labels.size()), labels.data());
}

Floats maps_of_clusters(const Floats& affinity, const Dense<int32_t>& labels, int clusters,
                        const MapSizes& sizes, int threads) {
  const ssize_t patches = ssize_t{sizes.gh} * sizes.gw;
  expect_shape(affinity, "an affinity", {patches, patches});
  expect_shape(labels, "labels", {patches});
  Floats maps(
      {ssize_t{clusters}, ssize_t{sizes.factor} * sizes.gh, ssize_t{sizes.factor} * sizes.gw});
  const float* from = affinity.data();
  const int32_t* cluster = labels.data();
  float* to = maps.mutable_data();
  {
    py::gil_scoped_release release;
    cluster_maps(from, cluster, clusters, sizes, to, pool_of(threads));
  }
  return maps;
}

}  // namespace

void bind_clustering(py::module_& ops) {
  ops.def("dbscan", &dbscan_rows);
  ops.def("cluster_maps", [](const Floats& affinity, const Dense<int32_t>& labels, int clusters,
                             int gh, int gw, int factor, int median, int threads) {
    return maps_of_clusters(affinity, labels, clusters, {gh, gw, factor, median}, threads);
  });
}

}  // namespace vocabseg::ops
