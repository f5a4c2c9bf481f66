// Each of these adds one op to vocabseg._core.ops. `vocabseg.ops` checks and converts arguments;
// what is checked here is only what memory safety needs.
#pragma once

#include <pybind11/pybind11.h>

namespace vocabseg::ops {

namespace py = pybind11;
using py::ssize_t;

void bind_clustering(py::module_& ops);
void bind_correlative_attention(py::module_& ops);
void bind_label_decoding(py::module_& ops);
void bind_mask_pooling(py::module_& ops);
void bind_pamr(py::module_& ops);
void bind_patch_text_similarity(py::module_& ops);
void bind_preprocessing(py::module_& ops);
void bind_same_region(py::module_& ops);
void bind_targets(py::module_& ops);
void bind_window_plan(py::module_& ops);

}  // namespace vocabseg::ops
