#include "bindings.hpp"
#include "ops/ops.hpp"

namespace vocabseg {

void bind_ops(pybind11::module_& module) {
  pybind11::module_ submodule =
      module.def_submodule("ops", "The ops on the CPU; use them through vocabseg.ops.");
  ops::bind_clustering(submodule);
  ops::bind_correlative_attention(submodule);
  ops::bind_label_decoding(submodule);
  ops::bind_mask_pooling(submodule);
  ops::bind_pamr(submodule);
  ops::bind_patch_text_similarity(submodule);
  ops::bind_preprocessing(submodule);
  ops::bind_same_region(submodule);
  ops::bind_targets(submodule);
  ops::bind_window_plan(submodule);
}

}  // namespace vocabseg
