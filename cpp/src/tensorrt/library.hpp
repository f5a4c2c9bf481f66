// libvocabseg_tensorrt.so, opened at run time.
#pragma once

#include <memory>
#include <string>

#include "tensorrt/abi.h"

namespace vocabseg {

constexpr const char* kTensorRtLibrary = "libvocabseg_tensorrt.so";

class TensorRtLibrary {
 public:
  // Opens the library beside this one, or where the dynamic linker finds it; a path is opened as it
  // is. Throws BackendUnavailable if it is missing, its TensorRT is, or it is of another version.
  explicit TensorRtLibrary(const std::string& name = kTensorRtLibrary);

  const vocabseg_tensorrt_api& api() const { return *api_; }

  // "10.3.0", of the TensorRT that is loaded.
  std::string version() const;

 private:
  std::shared_ptr<void> handle_;
  const vocabseg_tensorrt_api* api_ = nullptr;
};

}  // namespace vocabseg
