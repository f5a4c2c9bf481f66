#include <array>
#include <mutex>

#include "cuda/arguments.hpp"
#include "cuda/contexts.hpp"
#include "cuda/cubin.hpp"
#include "cuda/driver.hpp"
#include "vocabseg/cuda_kernels.hpp"

namespace vocabseg::cuda {
namespace {

constexpr unsigned kWarpSize = 32;

// The driver and what is loaded through it.
struct Runtime {
  Runtime(const std::string& library, const std::filesystem::path& folder)
      : driver(library), primaries(driver), modules(driver, folder) {}

  Driver driver;
  PrimaryContexts primaries;
  ModuleCache modules;  // unloaded before the contexts are released
};

void launch_packed(const Driver& driver, const Cubin& cubin, const Driver::Entry& device,
                   Function function, Packed& packed, void* stream) {
  // CU_LAUNCH_PARAM_BUFFER_POINTER, _BUFFER_SIZE, _END
  size_t size = cubin.parameter_bytes();
  std::array<void*, 5> extra = {reinterpret_cast<void*>(1), packed.bytes.data(),
                                reinterpret_cast<void*>(2), &size, nullptr};
  const auto [x, y, z] = packed.grid;
  driver.check(driver.launch_kernel(function, x, y, z, cubin.warps * kWarpSize, 1, 1,
                                    cubin.shared_bytes, stream, nullptr, extra.data()),
               "cuLaunchKernel", [&] { return where(cubin, device); });
}

}  // namespace

struct CubinSet::State {
  std::filesystem::path folder;
  std::string library;
  std::vector<Cubin> cubins;
  std::vector<CubinInfo> infos;  // one per cubin

  // Opened by the first caller that needs it, and again after a failure.
  Runtime& runtime() const {
    const std::lock_guard lock(mutex);
    if (!opened) opened = std::make_unique<Runtime>(library, folder);
    return *opened;
  }

  mutable std::mutex mutex;
  mutable std::unique_ptr<Runtime> opened;
};

struct Kernel::State {
  std::shared_ptr<const CubinSet::State> set;
  Runtime& runtime;
  const Cubin& cubin;
  const Driver::Entry& device;

  Function load(const ContextScope& scope) const {
    return runtime.modules.get(cubin, device, scope.context());
  }
};

CubinSet CubinSet::open(const std::filesystem::path& folder, const std::string& library) {
  auto state = std::make_shared<State>();
  state->folder = folder;
  state->library = library;
  state->cubins = read_manifest(folder);
  for (const Cubin& cubin : state->cubins) state->infos.push_back(cubin.info);
  return CubinSet(std::move(state));
}

void CubinSet::verify() const {
  for (const Cubin& cubin : state_->cubins) read_cubin(state_->folder, cubin);
}

const std::vector<CubinInfo>& CubinSet::cubins() const { return state_->infos; }

const CubinInfo& CubinSet::choose(const std::string& kernel, const std::string& dtype,
                                  const Variant& variant, int arch) const {
  return state_->infos[choose_cubin(state_->cubins, kernel, dtype, variant, arch)];
}

Kernel CubinSet::load(const std::string& kernel, const std::string& dtype, const Variant& variant,
                      int device) const {
  Runtime& runtime = state_->runtime();
  const Driver::Entry& entry = runtime.driver.device(device);
  const size_t index = choose_cubin(state_->cubins, kernel, dtype, variant, entry.info.arch);
  auto state =
      std::make_shared<Kernel::State>(Kernel::State{state_, runtime, state_->cubins[index], entry});
  state->load(ContextScope(runtime.driver, runtime.primaries, entry));
  return Kernel(std::move(state));
}

void Kernel::launch(const std::vector<Argument>& arguments, void* stream) const {
  Packed packed;
  pack(state_->cubin, arguments, packed);
  if (packed.empty) return;
  Runtime& runtime = state_->runtime;
  const ContextScope scope(runtime.driver, runtime.primaries, state_->device);
  launch_packed(runtime.driver, state_->cubin, state_->device, state_->load(scope), packed, stream);
}

const CubinInfo& Kernel::info() const { return state_->cubin.info; }

}  // namespace vocabseg::cuda
