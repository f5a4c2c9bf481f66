// Device memory of an engine's runs, which grows with the largest of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "cuda/device_memory.hpp"

namespace vocabseg {

// The calls need the device's primary context to be current.
class RunMemory {
 public:
  explicit RunMemory(cuda::SharedGpu gpu) : gpu_(std::move(gpu)), work_(gpu_) {}

  // What a run of `batch` rows works in. Throws OutOfMemory, and holds nothing then.
  const cuda::DeviceBuffer& work(size_t bytes, int64_t batch) { return take(work_, bytes, batch); }
  // A tensor's values, for a caller whose own are on the host.
  const cuda::DeviceBuffer& copy(const std::string& tensor, size_t bytes, int64_t batch) {
    return take(copies_.try_emplace(tensor, gpu_).first->second, bytes, batch);
  }

  // Changes where `work` may have moved.
  uint64_t moves() const { return moves_; }

 private:
  const cuda::DeviceBuffer& take(cuda::DeviceBuffer& buffer, size_t bytes, int64_t batch);

  cuda::SharedGpu gpu_;
  cuda::DeviceBuffer work_;
  std::map<std::string, cuda::DeviceBuffer> copies_;
  uint64_t moves_ = 0;
};

}  // namespace vocabseg
