// vocabseg._core.ops: window plan on NumPy arrays.
#include "kernels/common/window_plan.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <string>

#include "ops/arrays.hpp"
#include "ops/ops.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::ops {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)
using namespace arrays;   // NOLINT(google-build-using-namespace)

WindowPlan plan_of(const std::string& mode, std::array<int, 2> source, std::array<int, 2> crop,
                   std::array<int, 2> stride, int short_side, int long_side,
                   std::array<int, 2> grid) {
  WindowRule rule;
  rule.mode = mode == "whole" ? WindowMode::kWhole : WindowMode::kSlide;
  rule.height = crop[0], rule.width = crop[1];
  rule.stride_y = stride[0], rule.stride_x = stride[1];
  rule.short_side = short_side, rule.long_side = long_side;
  rule.grid_h = grid[0], rule.grid_w = grid[1];
  return plan_windows(rule, source[0], source[1]);
}

}  // namespace

void bind_window_plan(py::module_& ops) {
  py::class_<WindowPlan>(ops, "WindowPlan")
      .def(py::init<>())
      .def_readwrite("source_h", &WindowPlan::source_h)
      .def_readwrite("source_w", &WindowPlan::source_w)
      .def_readwrite("net_h", &WindowPlan::net_h)
      .def_readwrite("net_w", &WindowPlan::net_w)
      .def_readwrite("window_h", &WindowPlan::window_h)
      .def_readwrite("window_w", &WindowPlan::window_w)
      .def_readwrite("padded_h", &WindowPlan::padded_h)
      .def_readwrite("padded_w", &WindowPlan::padded_w)
      .def_readwrite("pad_top", &WindowPlan::pad_top)
      .def_readwrite("pad_left", &WindowPlan::pad_left)
      .def_readwrite("ys", &WindowPlan::ys)
      .def_readwrite("xs", &WindowPlan::xs)
      .def_readwrite("grid_h", &WindowPlan::grid_h)
      .def_readwrite("grid_w", &WindowPlan::grid_w);
  ops.def("plan_windows", &plan_of);
}

}  // namespace vocabseg::ops
