// The tensors of a run, checked against those of a network.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tensorrt/abi.h"
#include "vocabseg/engine.hpp"

namespace vocabseg {

std::vector<vocabseg_tensorrt_tensor> tensors_of(const vocabseg_tensorrt_api& api,
                                                 const vocabseg_tensorrt_engine* engine);

// The greatest first dimension of all inputs.
int64_t largest_batch(const std::vector<vocabseg_tensorrt_tensor>& tensors);

struct ViewList {
  Memory memory = Memory::kHost;
  std::vector<vocabseg_tensorrt_view> list;  // whose names are the network's
  std::vector<size_t> bytes;
};

// Throws EngineError unless every tensor of the network is given once, with its type, in a shape
// that its profiles hold, and all in one kind of memory; `rebuild` is the command that helps.
ViewList check_views(const std::vector<vocabseg_tensorrt_tensor>& tensors, const TensorMap& inputs,
                     const TensorMap& outputs, const std::string& rebuild);

}  // namespace vocabseg
