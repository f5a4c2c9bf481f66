// Engines that TensorRT runs, on the GPU.
#pragma once

#include <memory>
#include <string>

#include "cuda/gpu.hpp"
#include "tensorrt/library.hpp"
#include "vocabseg/bundle.hpp"
#include "vocabseg/engine.hpp"

namespace vocabseg {

// Where driver and library come from, and which GPU.
struct TensorRtPlace {
  std::string driver = cuda::kDriverLibrary, library = kTensorRtLibrary;
  int device = 0;
};

// Whether the driver, a GPU and the library are there; a bundle needs a built engine beside.
BackendInfo tensorrt_backend(const TensorRtPlace& place = {});

// The engine of a bundle's network ("image", "feedback", "text") in settings.precision. It runs on
// device memory; host memory is copied up and down, and waited for. Throws BackendUnavailable if it
// cannot run here, what find_engine throws, EngineError if it does not load.
std::unique_ptr<Engine> make_tensorrt_engine(const Bundle& bundle, const std::string& tower,
                                             const Settings& settings,
                                             const TensorRtPlace& place = {});

// Throws what make_tensorrt_engine would, without loading the engine.
void check_tensorrt_engine(const Bundle& bundle, const std::string& tower, const Settings& settings,
                           const TensorRtPlace& place = {});

}  // namespace vocabseg
