// Built as libcuda.so.1. Modules may be any bytes; launches are only recorded.
#include <cstdio>
#include <cstring>

#include "fake_state.hpp"

using namespace fake_cuda;

namespace {

bool has_device(int device) {
  return device >= 0 && static_cast<size_t>(device) < state().devices.size();
}

Context* create_context(int device) {
  auto& contexts = state().contexts;
  contexts.push_back({device, contexts.size() + 1});
  return &contexts.back();
}

}  // namespace

extern "C" {

Driver* fake_cuda_driver() { return &state(); }

void fake_cuda_reset() {
  const std::lock_guard lock(state().mutex);
  State& now = state();
  now.version = 13000;
  now.devices = {Device{}};
  now.failures.clear();
  now.calls.clear();
  now.launches.clear();
  now.misuse.clear();
  now.operations.clear();
  now.fail_in = 0;
  now.capacity = Driver().capacity;
  now.execute = {};
  current = nullptr;
}

Context* fake_cuda_create_context(int device) {
  const std::lock_guard lock(state().mutex);
  return create_context(device);
}

void fake_cuda_set_device(const char* name, int major, int minor) {
  const std::lock_guard lock(state().mutex);
  Device device;
  device.name = name;
  device.major = major;
  device.minor = minor;
  state().devices = {device};
}

const char* fake_cuda_launches() {
  static std::string text;
  const std::lock_guard lock(state().mutex);
  text.clear();
  char line[256];
  for (const Launch& each : state().launches) {
    std::snprintf(line, sizeof(line), " %u,%u,%u %u,%u,%u %u %llu ", each.grid[0], each.grid[1],
                  each.grid[2], each.block[0], each.block[1], each.block[2], each.shared_bytes,
                  static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(each.stream)));
    text += each.image + " " + each.symbol + line;
    for (const unsigned char byte : each.parameters) {
      std::snprintf(line, sizeof(line), "%02x", byte);
      text += line;
    }
    text += "\n";
  }
  return text.c_str();
}

const char* fake_cuda_operations() {
  static std::string text;
  const std::lock_guard lock(state().mutex);
  text.clear();
  for (const Operation& each : state().operations) {
    text += each.what + " " + std::to_string(each.bytes) + "\n";
  }
  state().operations.clear();
  state().launches.clear();
  return text.c_str();
}

int cuInit(unsigned flags) {
  ENTER("cuInit");
  return flags == 0 ? 0 : kInvalidValue;
}

int cuDriverGetVersion(int* version) {
  ENTER("cuDriverGetVersion");
  *version = state().version;
  return 0;
}

int cuDeviceGetCount(int* count) {
  ENTER("cuDeviceGetCount");
  *count = static_cast<int>(state().devices.size());
  return 0;
}

// Handles are not the ordinals, so that mixing them up is seen.
int cuDeviceGet(int* device, int index) {
  ENTER("cuDeviceGet");
  *device = index + 100;
  return has_device(index) ? 0 : 101;
}

int cuDeviceGetAttribute(int* value, int attribute, int device) {
  ENTER("cuDeviceGetAttribute");
  if (!has_device(device - 100)) return 101;
  const Device& described = state().devices[device - 100];
  switch (attribute) {
    case 75:
      *value = described.major;
      return 0;
    case 76:
      *value = described.minor;
      return 0;
    case 97:
      *value = described.shared_bytes;
      return 0;
    default:
      return kInvalidValue;
  }
}

int cuDeviceGetName(char* name, int size, int device) {
  ENTER("cuDeviceGetName");
  if (!has_device(device - 100)) return 101;
  std::snprintf(name, size, "%s", state().devices[device - 100].name.c_str());
  return 0;
}

int cuDevicePrimaryCtxRetain(Context** context, int device) {
  ENTER("cuDevicePrimaryCtxRetain");
  if (!has_device(device - 100)) return 101;
  Context*& primary = state().primaries[device - 100];
  if (!primary || primary->destroyed) primary = create_context(device - 100);
  ++state().retained[device - 100];
  *context = primary;
  return 0;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
  RELEASE("cuDevicePrimaryCtxRelease_v2");
  int& count = state().retained[device - 100];
  if (count == 0) misuse("a primary context is released without being retained");
  if (--count == 0) state().primaries[device - 100]->destroyed = true;
  return 0;
}

int cuCtxGetCurrent(Context** context) {
  ENTER("cuCtxGetCurrent");
  *context = current;
  return 0;
}

int cuCtxSetCurrent(Context* context) {
  ENTER("cuCtxSetCurrent");
  if (context && context->destroyed) return kInvalidContext;
  current = context;
  return 0;
}

int cuCtxGetDevice(int* device) {
  ENTER("cuCtxGetDevice");
  if (!current) return kInvalidContext;
  *device = current->device + 100;
  return 0;
}

int cuCtxGetId(Context* context, unsigned long long* id) {
  ENTER("cuCtxGetId");
  if (!context) return kInvalidContext;
  *id = context->id;
  return 0;
}

int cuModuleLoadData(Module** module, const void* image) {
  ENTER("cuModuleLoadData");
  if (!current) return kInvalidContext;
  *module = new Module{current, static_cast<const char*>(image)};
  state().modules.insert(*module);
  return 0;
}

int cuModuleUnload(Module* module) {
  RELEASE("cuModuleUnload");
  if (!state().modules.count(module)) {
    misuse("a module is unloaded that is not loaded");
    return kInvalidHandle;
  }
  if (module->context != current) misuse("a module is unloaded out of context");
  state().modules.erase(module);
  delete module;
  return 0;
}

int cuModuleGetFunction(Function** function, Module* module, const char* name) {
  ENTER("cuModuleGetFunction");
  if (!state().modules.count(module)) return kInvalidHandle;
  if (std::strcmp(name, "missing") == 0) return kNotFound;
  state().functions.push_back({module, name});
  *function = &state().functions.back();
  return 0;
}

int cuFuncSetAttribute(Function* function, int attribute, int value) {
  ENTER("cuFuncSetAttribute");
  if (attribute != 8) return kInvalidValue;
  function->dynamic_shared_bytes = value;
  return 0;
}

#ifndef FAKE_CUDA_WITHOUT_LAUNCH
int cuLaunchKernel(Function* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                   void* stream, void** parameters, void** extra) {
  ENTER("cuLaunchKernel");
  if (!state().modules.count(function->module) || function->module->context != current) {
    misuse("a function is launched out of context");
    return kInvalidHandle;
  }
  const bool buffer = !parameters && extra[0] == reinterpret_cast<void*>(1) &&
                      extra[2] == reinterpret_cast<void*>(2) && !extra[4];
  if (!buffer || grid_x == 0 || grid_y == 0 || grid_z == 0 || grid_y > 65535 || grid_z > 65535 ||
      static_cast<int>(shared_bytes) > function->dynamic_shared_bytes) {
    return kInvalidValue;
  }
  const auto* bytes = static_cast<const unsigned char*>(extra[1]);
  const Launch launch = {function->module->image,
                         function->symbol,
                         current->device,
                         {grid_x, grid_y, grid_z},
                         {block_x, block_y, block_z},
                         shared_bytes,
                         stream,
                         {bytes, bytes + *static_cast<const size_t*>(extra[3])}};
  state().launches.push_back(launch);
  enqueue({"launch", stream, 0, launch.image + " " + launch.symbol}, [launch] {
    if (state().execute) state().execute(launch);
  });
  return 0;
}
#endif

}  // extern "C"
