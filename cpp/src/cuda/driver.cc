#include "cuda/driver.hpp"

#include <dlfcn.h>

#include <array>

#include "vocabseg/error.hpp"

namespace vocabseg::cuda {
namespace {

// Of enums CUresult and CUdevice_attribute in cuda.h.
constexpr Result kOutOfMemory = 2, kNoDevice = 100, kInvalidImage = 200, kNoBinaryForGpu = 209,
                 kUnsupportedVersion = 222, kIllegalAddress = 700, kMisalignedAddress = 716,
                 kLaunchFailed = 719;
constexpr int kSharedBytesOptIn = 97, kCapabilityMajor = 75, kCapabilityMinor = 76;

// Cubins of CUDA 12 need a driver of that version.
constexpr int kOldestVersion = 12000;

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

const char* next_step(Result result) {
  switch (result) {
    case kOutOfMemory:
      return "free memory on the device (nvidia-smi shows who holds it)";
    case kInvalidImage:
    case kNoBinaryForGpu:
    case kUnsupportedVersion:
      return "update the NVIDIA driver, or build the cubins again: python -m vocabseg.kernels.aot";
    case kIllegalAddress:
    case kMisalignedAddress:
    case kLaunchFailed:
      return "an earlier kernel of this process failed: run it with compute-sanitizer to find it, "
             "and "
             "restart the process";
    default:
      return "check that nvidia-smi works and that stream and arguments belong to this device";
  }
}

}  // namespace

Driver::Driver(const std::string& library) : library_(library) {
  // Never unmapped: the driver has threads of its own.
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!handle) {
    const char* reason = dlerror();
    throw BackendUnavailable(
        library + " is not installed: " + (reason ? reason : "no reason given") +
        "; install the NVIDIA driver (in a container: run it with --gpus all)");
  }
  handle_ = {handle, dlclose};
  resolve_all();
  require(init(0), "cuInit");
  require(driver_get_version(&version_), "cuDriverGetVersion");
  if (version_ < kOldestVersion) {
    throw BackendUnavailable("the NVIDIA driver supports CUDA " + version_text(version_) +
                             ", expected " + version_text(kOldestVersion) +
                             " or newer; update the driver");
  }
  int count = 0;
  require(device_get_count(&count), "cuDeviceGetCount");
  for (int index = 0; index < count; ++index) devices_.push_back(read_device(index));
  if (devices_.empty()) require(kNoDevice, "cuDeviceGetCount");
}

template <class Signature>
void Driver::resolve(Signature*& function, const char* symbol) {
  function = reinterpret_cast<Signature*>(dlsym(handle_.get(), symbol));
  if (!function) {
    throw BackendUnavailable(library_ + " has no " + symbol +
                             "; update the NVIDIA driver to one for CUDA " +
                             version_text(kOldestVersion) + " or newer");
  }
}

void Driver::resolve_all() {
  resolve(init, "cuInit");
  resolve(driver_get_version, "cuDriverGetVersion");
  resolve(device_get_count, "cuDeviceGetCount");
  resolve(device_get, "cuDeviceGet");
  resolve(device_get_attribute, "cuDeviceGetAttribute");
  resolve(device_get_name, "cuDeviceGetName");
  resolve(primary_context_retain, "cuDevicePrimaryCtxRetain");
  resolve(primary_context_release, "cuDevicePrimaryCtxRelease_v2");
  resolve(context_get_current, "cuCtxGetCurrent");
  resolve(context_set_current, "cuCtxSetCurrent");
  resolve(context_get_device, "cuCtxGetDevice");
  resolve(context_get_id, "cuCtxGetId");
  resolve(module_load_data, "cuModuleLoadData");
  resolve(module_unload, "cuModuleUnload");
  resolve(module_get_function, "cuModuleGetFunction");
  resolve(function_set_attribute, "cuFuncSetAttribute");
  resolve(launch_kernel, "cuLaunchKernel");
  resolve(stream_create, "cuStreamCreate");
  resolve(stream_destroy, "cuStreamDestroy_v2");
  resolve(stream_synchronize, "cuStreamSynchronize");
  resolve(stream_wait_event, "cuStreamWaitEvent");
  resolve(stream_begin_capture, "cuStreamBeginCapture_v2");
  resolve(stream_end_capture, "cuStreamEndCapture");
  resolve(graph_instantiate, "cuGraphInstantiateWithFlags");
  resolve(graph_launch, "cuGraphLaunch");
  resolve(graph_destroy, "cuGraphDestroy");
  resolve(graph_exec_destroy, "cuGraphExecDestroy");
  resolve(memory_allocate, "cuMemAlloc_v2");
  resolve(memory_free, "cuMemFree_v2");
  resolve(memory_info, "cuMemGetInfo_v2");
  resolve(pinned_allocate, "cuMemHostAlloc");
  resolve(pinned_free, "cuMemFreeHost");
  resolve(copy_up, "cuMemcpyHtoDAsync_v2");
  resolve(copy_down, "cuMemcpyDtoHAsync_v2");
  resolve(copy_2d, "cuMemcpy2DAsync_v2");
  resolve(event_create, "cuEventCreate");
  resolve(event_destroy, "cuEventDestroy_v2");
  resolve(event_record, "cuEventRecordWithFlags");
  resolve(event_elapsed, "cuEventElapsedTime");
  resolve(get_error_name, "cuGetErrorName");
  resolve(get_error_string, "cuGetErrorString");
}

// While the driver starts: what fails here keeps the whole backend from running.
void Driver::require(Result result, const char* call) const {
  if (result == 0) return;
  throw BackendUnavailable(
      std::string(call) + " failed: " + error_text(result) +
      "; check that nvidia-smi shows a device and what CUDA_VISIBLE_DEVICES is");
}

Driver::Entry Driver::read_device(int index) const {
  Entry entry{};
  entry.info.index = index;
  require(device_get(&entry.handle, index), "cuDeviceGet");
  std::array<char, 256> name{};
  require(device_get_name(name.data(), static_cast<int>(name.size()) - 1, entry.handle),
          "cuDeviceGetName");
  entry.info.name = name.data();
  const auto attribute = [&](int which) {
    int value = 0;
    require(device_get_attribute(&value, which, entry.handle), "cuDeviceGetAttribute");
    return value;
  };
  entry.info.arch = 10 * attribute(kCapabilityMajor) + attribute(kCapabilityMinor);
  entry.shared_bytes = attribute(kSharedBytesOptIn);
  return entry;
}

const Driver::Entry& Driver::device(int index) const {
  if (index >= 0 && static_cast<size_t>(index) < devices_.size()) return devices_[index];
  throw BackendUnavailable("there is no CUDA device " + std::to_string(index) + ", expected 0 to " +
                           std::to_string(devices_.size() - 1) +
                           "; CUDA_VISIBLE_DEVICES says which are shown");
}

std::string Driver::error_text(Result result) const {
  const char* name = nullptr;
  const char* meaning = nullptr;
  if (get_error_name(result, &name) != 0 || !name) return "error " + std::to_string(result);
  if (get_error_string(result, &meaning) != 0 || !meaning) return name;
  return std::string(name) + " (" + meaning + ")";
}

void Driver::fail(Result result, const char* call, const std::string& where) const {
  const std::string text = std::string(call) + " failed: " + error_text(result) + " " + where +
                           ", driver for CUDA " + version_text(version_) + "; " + next_step(result);
  if (result == kOutOfMemory) throw OutOfMemory(text);
  throw EngineError(text);
}

std::vector<Device> devices(const std::string& library) {
  const Driver driver(library);
  std::vector<Device> found;
  for (const Driver::Entry& entry : driver.devices()) found.push_back(entry.info);
  return found;
}

}  // namespace vocabseg::cuda
