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

// The least and the greatest first dimension that all inputs take.
struct Batches {
  int64_t smallest = 1, largest = 0;
};
Batches batches_of(const std::vector<vocabseg_tensorrt_tensor>& tensors);

struct ViewList {
  Memory memory = Memory::kHost;
  std::vector<vocabseg_tensorrt_view> list;  // whose names are the network's
  std::vector<size_t> bytes;

  // Of the inputs, one behind the other.
  std::vector<int64_t> input_shapes() const;
  // First dimension of the inputs.
  int64_t batch() const;
};

// Throws EngineError unless every tensor of the network is given once, with its type, and all in
// one kind of memory, EngineMismatch unless its shape is one that the profiles hold; `rebuild` is
// the command that helps.
ViewList check_views(const std::vector<vocabseg_tensorrt_tensor>& tensors, const TensorMap& inputs,
                     const TensorMap& outputs, const std::string& rebuild);

}  // namespace vocabseg
