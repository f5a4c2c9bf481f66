#include "cuda/gpu.hpp"

namespace vocabseg::cuda {

Gpu::Gpu(int device, const std::string& library)
    : driver_(library), entry_(driver_.device(device)) {
  check(driver_.primary_context_retain(&context_, entry_.handle), "cuDevicePrimaryCtxRetain");
}

Gpu::~Gpu() { driver_.primary_context_release(entry_.handle); }

void Gpu::check(Result result, const char* call) const {
  driver_.check(result, call, [this] {
    return "on " + entry_.info.name + " (sm_" + std::to_string(entry_.info.arch) + ")";
  });
}

size_t Gpu::free_memory() const {
  size_t free = 0, total = 0;
  check(driver_.memory_info(&free, &total), "cuMemGetInfo");
  return free;
}

CurrentContext::CurrentContext(const Gpu& gpu) : gpu_(gpu) {
  gpu.check(gpu.driver().context_get_current(&previous_), "cuCtxGetCurrent");
  gpu.check(gpu.driver().context_set_current(gpu.context()), "cuCtxSetCurrent");
}

CurrentContext::~CurrentContext() { gpu_.driver().context_set_current(previous_); }

}  // namespace vocabseg::cuda
