// CUDA contexts of the calling thread, and the modules that are loaded into them.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

#include "cuda/cubin.hpp"
#include "cuda/driver.hpp"

namespace vocabseg::cuda {

// Primary contexts, each retained once and released at the end.
class PrimaryContexts {
 public:
  explicit PrimaryContexts(const Driver& driver) : driver_(driver) {}
  ~PrimaryContexts();
  PrimaryContexts(const PrimaryContexts&) = delete;
  PrimaryContexts& operator=(const PrimaryContexts&) = delete;

  Context get(const Driver::Entry& device);

 private:
  const Driver& driver_;
  std::mutex mutex_;
  std::map<DeviceHandle, Context> retained_;
};

// While it lives, the thread's current context is one of the device: the one that was current if it
// is the device's, else the primary one.
class ContextScope {
 public:
  ContextScope(const Driver& driver, PrimaryContexts& primaries, const Driver::Entry& device);
  ~ContextScope();
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

  Context context() const { return context_; }

 private:
  const Driver& driver_;
  Context previous_ = nullptr, context_ = nullptr;
};

// The kernels of a set, loaded once per context.
class ModuleCache {
 public:
  ModuleCache(const Driver& driver, std::filesystem::path folder)
      : driver_(driver), folder_(std::move(folder)) {}
  ~ModuleCache();
  ModuleCache(const ModuleCache&) = delete;
  ModuleCache& operator=(const ModuleCache&) = delete;

  // The context must be current. Throws BundleError, EngineError, or BackendUnavailable where the
  // device has too little shared memory.
  Function get(const Cubin& cubin, const Driver::Entry& device, Context context);

 private:
  using ContextId = unsigned long long;
  struct Loaded {
    Context context;
    Module module;
    Function function;
  };

  Loaded load(const Cubin& cubin, const Driver::Entry& device, Context context) const;

  const Driver& driver_;
  std::filesystem::path folder_;
  std::mutex mutex_;
  std::map<std::pair<ContextId, const Cubin*>, Loaded> loaded_;  // an id is never used again
};

// "in patch_text_similarity fp16 NORMALIZE=1 on NVIDIA GeForce RTX 4090 (sm_89)"
std::string where(const Cubin& cubin, const Driver::Entry& device);

}  // namespace vocabseg::cuda
