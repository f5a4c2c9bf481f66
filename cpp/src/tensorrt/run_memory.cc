#include "tensorrt/run_memory.hpp"

#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

std::string mib(size_t count) { return std::to_string(count) + " MiB"; }

}  // namespace

const cuda::DeviceBuffer& RunMemory::take(cuda::DeviceBuffer& buffer, size_t bytes, int64_t batch) {
  if (bytes <= buffer.bytes()) return buffer;
  ++moves_;
  try {
    buffer.reserve(bytes);
    return buffer;
  } catch (const OutOfMemory&) {
    const size_t free = gpu_->free_memory();  // before the rest is given back
    work_ = cuda::DeviceBuffer(gpu_);
    copies_.clear();
    const size_t needed = (bytes + kMiB - 1) / kMiB, there = free / kMiB;
    const std::string missing =
        needed > there ? mib(needed - there) + " are missing" : "but not in one piece";
    throw OutOfMemory("the engine needs " + mib(needed) + " of GPU memory for a batch of " +
                      std::to_string(batch) + ", " + gpu_->device().name + " has " + mib(there) +
                      " free: " + missing);
  }
}

}  // namespace vocabseg
