#include "vocabseg/vocabulary.hpp"

#include <pybind11/stl.h>

#include "bindings.hpp"

namespace py = pybind11;

namespace vocabseg {
namespace {

py::dict parse(const std::vector<std::string>& entries) {
  const Words words = parse_vocabulary(entries);
  return py::dict(py::arg("names") = words.names, py::arg("queries") = words.queries,
                  py::arg("query_to_class") = words.query_to_class,
                  py::arg("background") = words.background);
}

}  // namespace

void bind_vocabulary(py::module_& module) {
  module.def("parse_vocabulary", parse, py::arg("entries"),
             "Names, queries, query_to_class and background of entries such as 'car, truck'.");
}

}  // namespace vocabseg
