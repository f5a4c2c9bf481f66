// GPU kernels compiled ahead of time: a folder of cubins, launched through the CUDA driver. The
// driver is opened at run time, so building and linking need no CUDA.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vocabseg::cuda {

constexpr const char* kDriverLibrary = "libcuda.so.1";

struct Device {
  int index = 0;
  std::string name;  // such as "NVIDIA GeForce RTX 4090"
  int arch = 0;      // compute capability: 89 is 8.9
};

// The devices that the CUDA driver shows. Throws BackendUnavailable where the driver is missing,
// too old or shows none. `library` is a name that the dynamic linker finds, or a path.
std::vector<Device> devices(const std::string& library = kDriverLibrary);

// The compile-time constants that choose what a kernel does, such as {{"NORMALIZE", 1}}.
using Variant = std::map<std::string, int64_t>;

// An argument of a launch: a device address, an integer or a float. An address may also be given as
// an integer. `name` must outlive the launch.
struct Argument {
  std::string_view name;
  std::variant<const void*, int64_t, double> value;
};

// A cubin of a set.
struct CubinInfo {
  std::string kernel, dtype;
  Variant variant;
  int arch = 0;
  bool exact_arch = false;  // arch-specific code

  // Whether a device of an architecture runs it: its own, or a later one of the same major version
  // if neither is of a Jetson and the code is not arch-specific.
  bool runs_on(int device_arch) const;
};

// A kernel for one device, loaded. Cheap to copy; it keeps what it needs of its set. May be used by
// several threads at once.
class Kernel {
 public:
  // Queues the kernel on `stream` (a CUstream of this device, null: the default one) and returns.
  // Every argument must be given once. A grid that the arguments make empty launches nothing.
  // Throws ShapeError if an argument is missing, unknown, of another type, misaligned or out of
  // range; EngineError if the driver fails.
  void launch(const std::vector<Argument>& arguments, void* stream) const;

  const CubinInfo& info() const;

 private:
  friend class CubinSet;
  struct State;
  explicit Kernel(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

// A folder with manifest.json and packs of cubins, as `python -m vocabseg.kernels.aot` writes it.
// Cheap to copy; may be used by several threads at once. Modules are loaded once per context and
// unloaded with the last copy of the set and its kernels.
class CubinSet {
 public:
  // Reads the manifest and checks that it fits the packs. Needs no driver. Throws BundleError if a
  // file is missing, too short, or the manifest is not one that this version reads.
  static CubinSet open(const std::filesystem::path& folder,
                       const std::string& library = kDriverLibrary);

  // Reads every cubin and compares its SHA-256; else this is done when a cubin is loaded. Throws
  // BundleError.
  void verify() const;

  const std::vector<CubinInfo>& cubins() const;

  // The newest cubin that a device of an architecture runs, arch-specific code first. Throws
  // BackendUnavailable, and says what there is, if there is none.
  const CubinInfo& choose(const std::string& kernel, const std::string& dtype,
                          const Variant& variant, int arch) const;

  // Loads a kernel into the thread's current CUDA context if that is one of the device's, else into
  // the device's primary context; each launch chooses its context alike. Throws BackendUnavailable
  // if driver, device or cubin are missing, BundleError if the cubin is altered, EngineError if the
  // driver fails.
  Kernel load(const std::string& kernel, const std::string& dtype, const Variant& variant,
              int device = 0) const;

 private:
  friend class Kernel;
  struct State;
  explicit CubinSet(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace vocabseg::cuda
