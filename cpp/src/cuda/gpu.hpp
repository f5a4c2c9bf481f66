// A device, with its primary context: what a frame's memory and streams belong to.
#pragma once

#include <memory>
#include <string>

#include "cuda/driver.hpp"

namespace vocabseg::cuda {

class Gpu {
 public:
  // Retains the device's primary context, which libraries on the CUDA runtime use too. Throws
  // BackendUnavailable where driver or device are missing, EngineError if the context cannot be
  // had.
  explicit Gpu(int device = 0, const std::string& library = kDriverLibrary);
  ~Gpu();
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  const Driver& driver() const { return driver_; }
  const Device& device() const { return entry_.info; }
  Context context() const { return context_; }

  // Throws EngineError unless `result` is success.
  void check(Result result, const char* call) const;

  // Bytes that nobody has allocated; the context must be current.
  size_t free_memory() const;

 private:
  Driver driver_;
  const Driver::Entry& entry_;
  Context context_ = nullptr;
};

using SharedGpu = std::shared_ptr<const Gpu>;

// While it lives, the device's primary context is the thread's current one.
class CurrentContext {
 public:
  explicit CurrentContext(const Gpu& gpu);
  ~CurrentContext();
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

 private:
  const Gpu& gpu_;
  Context previous_ = nullptr;
};

// A handle of the driver's, released in its context.
template <class Handle>
class Owned {
 public:
  using Release = Result (*Driver::*)(Handle);

  Owned() = default;
  Owned(SharedGpu gpu, Handle handle, Release release)
      : gpu_(std::move(gpu)), handle_(handle), release_(release) {}
  ~Owned() { reset(); }
  Owned(Owned&& other) noexcept { swap(other); }
  Owned& operator=(Owned&& other) noexcept {
    swap(other);
    return *this;
  }

  Handle get() const { return handle_; }
  explicit operator bool() const { return gpu_ != nullptr; }

  // What fails here is past mending.
  void reset() {
    if (!gpu_) return;
    const Driver& driver = gpu_->driver();
    Context previous = nullptr;
    driver.context_get_current(&previous);
    driver.context_set_current(gpu_->context());
    (driver.*release_)(handle_);
    driver.context_set_current(previous);
    gpu_ = nullptr;
  }

 private:
  void swap(Owned& other) {
    std::swap(gpu_, other.gpu_);
    std::swap(handle_, other.handle_);
    std::swap(release_, other.release_);
  }

  SharedGpu gpu_;
  Handle handle_{};
  Release release_ = nullptr;
};

}  // namespace vocabseg::cuda
