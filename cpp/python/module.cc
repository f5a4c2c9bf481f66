#include "bindings.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_core, module) {
  module.doc() = "The C++ core of vocabseg; use it through the classes of `vocabseg`.";
  module.attr("version") = VOCABSEG_VERSION;
  vocabseg::bind_errors(module);
  vocabseg::bind_bundle(module);
  vocabseg::bind_tokenizer(module);
  vocabseg::bind_engine(module);
  vocabseg::bind_text_encoder(module);
  vocabseg::bind_vocabulary(module);
  vocabseg::bind_frame(module);
  vocabseg::bind_segmenter(module);
  vocabseg::bind_cuda(module);
  vocabseg::bind_dlpack(module);
  vocabseg::bind_ops(module);
}
