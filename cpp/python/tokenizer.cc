#include "vocabseg/tokenizer.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "bindings.hpp"

namespace py = pybind11;

namespace vocabseg {
namespace {

// UTF-8 of a str; lone surrogates are kept for the tokenizer to repair.
std::string utf8(const py::str& text) {
  const auto bytes = py::reinterpret_steal<py::bytes>(
      PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogatepass"));
  if (!bytes) throw py::error_already_set();
  return bytes;
}

std::vector<int64_t> encode(const Tokenizer& tokenizer, const py::str& text) {
  const std::string bytes = utf8(text);
  py::gil_scoped_release release;
  return tokenizer.encode(bytes);
}

py::array_t<int64_t> encode_batch(const Tokenizer& tokenizer, const std::vector<py::str>& texts) {
  std::vector<std::string> bytes;
  std::transform(texts.begin(), texts.end(), std::back_inserter(bytes), utf8);
  const auto length = static_cast<py::ssize_t>(tokenizer.context_length());
  py::array_t<int64_t> rows({static_cast<py::ssize_t>(bytes.size()), length});
  int64_t* out = rows.mutable_data();
  py::gil_scoped_release release;
  for (const std::string& text : bytes) {
    const std::vector<int64_t> row = tokenizer.encode_row(text);
    out = std::copy(row.begin(), row.end(), out);
  }
  return rows;
}

}  // namespace

void bind_tokenizer(py::module_& module) {
  py::class_<Tokenizer>(module, "Tokenizer", "CLIP's byte-pair tokenizer.")
      .def(py::init([](const std::string& merges, int context_length) {
             return Tokenizer(merges, context_length);
           }),
           py::arg("merges"), py::arg("context_length") = 77)
      .def("encode", encode, py::arg("text"), "Ids of a text, without start and end, not cut.")
      .def("encode_batch", encode_batch, py::arg("texts"),
           "int64 [T, context_length]: start, text (cut to fit), end, zeros.")
      .def_property_readonly("context_length", &Tokenizer::context_length)
      .def_property_readonly("vocab_size", &Tokenizer::vocab_size);
}

}  // namespace vocabseg
