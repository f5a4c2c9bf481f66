#include "cuda/device_memory.hpp"

namespace vocabseg::cuda {

bool DeviceBuffer::reserve(size_t bytes) {
  if (bytes <= bytes_) return false;
  bytes_ = 0;
  memory_.reset();  // first, so that both need not fit
  Address address = 0;
  gpu_->check(gpu_->driver().memory_allocate(&address, bytes), "cuMemAlloc");
  memory_ = {gpu_, address, &Driver::memory_free};
  bytes_ = bytes;
  return true;
}

bool PinnedBuffer::reserve(size_t bytes) {
  if (bytes <= bytes_) return false;
  bytes_ = 0;
  memory_.reset();
  void* address = nullptr;
  gpu_->check(gpu_->driver().pinned_allocate(&address, bytes, 0), "cuMemHostAlloc");
  memory_ = {gpu_, address, &Driver::pinned_free};
  bytes_ = bytes;
  return true;
}

}  // namespace vocabseg::cuda
