// vocabseg._core.ops: the instruction sets of the CPU ops.
#include "kernels/common/targets.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "ops/ops.hpp"

namespace vocabseg::ops {

void bind_targets(py::module_& ops) {
  ops.def("supported_targets", &kernels::supported_targets);
  ops.def("active_target", &kernels::active_target);
  ops.def("force_target", &kernels::force_target);
}

}  // namespace vocabseg::ops
