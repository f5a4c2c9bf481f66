// Memory of a device, and memory of the host that it copies from and to at full speed. The calls
// need the device's primary context to be current.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/gpu.hpp"

namespace vocabseg::cuda {

class DeviceBuffer {
 public:
  explicit DeviceBuffer(SharedGpu gpu) : gpu_(std::move(gpu)) {}

  // Allocates if there is less; the content is lost then. Returns whether it did. Throws
  // EngineError.
  bool reserve(size_t bytes);

  size_t bytes() const { return bytes_; }
  Address address() const { return memory_.get(); }
  std::byte* data() const { return reinterpret_cast<std::byte*>(address()); }

 private:
  SharedGpu gpu_;
  Owned<Address> memory_;
  size_t bytes_ = 0;
};

// Page-locked host memory.
class PinnedBuffer {
 public:
  explicit PinnedBuffer(SharedGpu gpu) : gpu_(std::move(gpu)) {}
  bool reserve(size_t bytes);
  std::byte* data() const { return static_cast<std::byte*>(memory_.get()); }

 private:
  SharedGpu gpu_;
  Owned<void*> memory_;
  size_t bytes_ = 0;
};

}  // namespace vocabseg::cuda
