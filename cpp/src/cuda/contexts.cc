#include "cuda/contexts.hpp"

#include "vocabseg/error.hpp"

namespace vocabseg::cuda {
namespace {

constexpr int kMaxDynamicSharedBytes = 8;              // of enum CUfunction_attribute in cuda.h
constexpr unsigned kSharedBytesWithoutAsking = 49152;  // more must be opted in to

std::string on(const Driver::Entry& device) {
  return "on " + device.info.name + " (sm_" + std::to_string(device.info.arch) + ")";
}

}  // namespace

std::string where(const Cubin& cubin, const Driver::Entry& device) {
  return "in " + cubin.name() + " " + on(device);
}

PrimaryContexts::~PrimaryContexts() {
  for (const auto& [device, context] : retained_) driver_.primary_context_release(device);
}

Context PrimaryContexts::get(const Driver::Entry& device) {
  const std::lock_guard lock(mutex_);
  Context& context = retained_[device.handle];
  if (context) return context;
  const Result result = driver_.primary_context_retain(&context, device.handle);
  if (result != 0) retained_.erase(device.handle);
  driver_.check(result, "cuDevicePrimaryCtxRetain", [&] { return on(device); });
  return context;
}

ContextScope::ContextScope(const Driver& driver, PrimaryContexts& primaries,
                           const Driver::Entry& device)
    : driver_(driver) {
  const auto where = [&] { return on(device); };
  driver.check(driver.context_get_current(&previous_), "cuCtxGetCurrent", where);
  context_ = previous_;
  if (previous_) {
    DeviceHandle handle = 0;
    driver.check(driver.context_get_device(&handle), "cuCtxGetDevice", where);
    if (handle == device.handle) return;
  }
  context_ = primaries.get(device);
  driver.check(driver.context_set_current(context_), "cuCtxSetCurrent", where);
}

ContextScope::~ContextScope() {
  if (context_ != previous_) driver_.context_set_current(previous_);
}

Function ModuleCache::get(const Cubin& cubin, const Driver::Entry& device, Context context) {
  ContextId id = 0;
  driver_.check(driver_.context_get_id(context, &id), "cuCtxGetId",
                [&] { return where(cubin, device); });
  const std::lock_guard lock(mutex_);
  const auto [place, added] = loaded_.try_emplace({id, &cubin});
  if (!added) return place->second.function;
  try {
    return (place->second = load(cubin, device, context)).function;
  } catch (...) {
    loaded_.erase(place);
    throw;
  }
}

ModuleCache::Loaded ModuleCache::load(const Cubin& cubin, const Driver::Entry& device,
                                      Context context) const {
  if (cubin.shared_bytes > static_cast<unsigned>(device.shared_bytes)) {
    throw BackendUnavailable(cubin.name() + " needs " + std::to_string(cubin.shared_bytes) +
                             " bytes of shared memory, " + device.info.name + " has " +
                             std::to_string(device.shared_bytes) +
                             "; build the set again with smaller blocks");
  }
  const std::vector<char> image = read_cubin(folder_, cubin);
  const auto here = [&] { return where(cubin, device); };
  Loaded loaded{context, nullptr, nullptr};
  driver_.check(driver_.module_load_data(&loaded.module, image.data()), "cuModuleLoadData", here);
  try {
    driver_.check(
        driver_.module_get_function(&loaded.function, loaded.module, cubin.symbol.c_str()),
        "cuModuleGetFunction", here);
    if (cubin.shared_bytes > kSharedBytesWithoutAsking) {
      driver_.check(driver_.function_set_attribute(loaded.function, kMaxDynamicSharedBytes,
                                                   static_cast<int>(cubin.shared_bytes)),
                    "cuFuncSetAttribute", here);
    }
  } catch (...) {
    driver_.module_unload(loaded.module);
    throw;
  }
  return loaded;
}

// What fails here, such as a context that its owner has destroyed with all its modules, is past
// mending.
ModuleCache::~ModuleCache() {
  Context previous = nullptr;
  if (driver_.context_get_current(&previous) != 0) return;
  for (const auto& [key, loaded] : loaded_) {
    ContextId id = 0;
    const bool alive = driver_.context_set_current(loaded.context) == 0 &&
                       driver_.context_get_id(loaded.context, &id) == 0 && id == key.first;
    if (alive) driver_.module_unload(loaded.module);
  }
  if (!loaded_.empty()) driver_.context_set_current(previous);
}

}  // namespace vocabseg::cuda
