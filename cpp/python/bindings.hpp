// One function per file of the binding.
#pragma once

#include <pybind11/pybind11.h>

namespace vocabseg {

void bind_errors(pybind11::module_& module);
void bind_bundle(pybind11::module_& module);
void bind_tokenizer(pybind11::module_& module);
void bind_engine(pybind11::module_& module);
void bind_text_encoder(pybind11::module_& module);
void bind_vocabulary(pybind11::module_& module);
void bind_frame(pybind11::module_& module);
void bind_segmenter(pybind11::module_& module);
void bind_cuda(pybind11::module_& module);
void bind_dlpack(pybind11::module_& module);
void bind_ops(pybind11::module_& module);

}  // namespace vocabseg
