// The CUDA driver API, opened at run time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vocabseg/cuda_kernels.hpp"

namespace vocabseg::cuda {

// What cuda.h declares and we use.
using Result = int;  // CUresult
using DeviceHandle = int;
using Context = struct ContextTag*;
using Module = struct ModuleTag*;
using Function = struct FunctionTag*;
using StreamHandle = void*;  // CUstream, and cudaStream_t too
using EventHandle = struct EventTag*;
using GraphHandle = struct GraphTag*;
using GraphExec = struct GraphExecTag*;
using Address = unsigned long long;  // CUdeviceptr

// CUDA_MEMCPY2D. Lengths in bytes; an x or y is where the rectangle begins.
struct Copy2D {
  static constexpr unsigned kHost = 1, kDevice = 2;  // CUmemorytype
  struct Side {
    size_t x = 0, y = 0;
    unsigned type = kDevice;
    const void* host = nullptr;
    Address device = 0;
    void* array = nullptr;
    size_t pitch = 0;
  };
  Side from, to;
  size_t width = 0, height = 0;
};

class Driver {
 public:
  // Opens the library, starts the driver and reads its devices. Throws BackendUnavailable.
  explicit Driver(const std::string& library);

  struct Entry {
    DeviceHandle handle;
    int shared_bytes;  // largest dynamic shared memory of a block
    Device info;
  };

  const std::vector<Entry>& devices() const { return devices_; }

  // Throws BackendUnavailable if there is no such device.
  const Entry& device(int index) const;

  // Throws EngineError("<call> failed: <error's name> (<meaning>) <where()>; <next step>") unless
  // `result` is success; OutOfMemory where that is the error.
  template <class Where>
  void check(Result result, const char* call, const Where& where) const {
    if (result != 0) fail(result, call, where());
  }

  // "CUDA_ERROR_INVALID_VALUE (invalid argument)"
  std::string error_text(Result result) const;

  Result (*init)(unsigned flags);
  Result (*driver_get_version)(int* version);
  Result (*device_get_count)(int* count);
  Result (*device_get)(DeviceHandle* device, int index);
  Result (*device_get_attribute)(int* value, int attribute, DeviceHandle device);
  Result (*device_get_name)(char* name, int size, DeviceHandle device);
  Result (*primary_context_retain)(Context* context, DeviceHandle device);
  Result (*primary_context_release)(DeviceHandle device);
  Result (*context_get_current)(Context* context);
  Result (*context_set_current)(Context context);
  Result (*context_get_device)(DeviceHandle* device);
  Result (*context_get_id)(Context context, unsigned long long* id);
  Result (*module_load_data)(Module* module, const void* image);
  Result (*module_unload)(Module module);
  Result (*module_get_function)(Function* function, Module module, const char* name);
  Result (*function_set_attribute)(Function function, int attribute, int value);
  Result (*launch_kernel)(Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                          unsigned block_x, unsigned block_y, unsigned block_z,
                          unsigned shared_bytes, void* stream, void** parameters, void** extra);
  Result (*stream_create)(StreamHandle* stream, unsigned flags);
  Result (*stream_destroy)(StreamHandle stream);
  Result (*stream_synchronize)(StreamHandle stream);
  Result (*stream_wait_event)(StreamHandle stream, EventHandle event, unsigned flags);
  Result (*stream_begin_capture)(StreamHandle stream, int mode);
  Result (*stream_end_capture)(StreamHandle stream, GraphHandle* graph);
  Result (*graph_instantiate)(GraphExec* exec, GraphHandle graph, unsigned long long flags);
  Result (*graph_launch)(GraphExec exec, StreamHandle stream);
  Result (*graph_destroy)(GraphHandle graph);
  Result (*graph_exec_destroy)(GraphExec exec);
  Result (*memory_allocate)(Address* address, size_t bytes);
  Result (*memory_free)(Address address);
  Result (*memory_info)(size_t* free, size_t* total);
  Result (*pinned_allocate)(void** address, size_t bytes, unsigned flags);
  Result (*pinned_free)(void* address);
  Result (*copy_up)(Address to, const void* from, size_t bytes, StreamHandle stream);
  Result (*copy_down)(void* to, Address from, size_t bytes, StreamHandle stream);
  Result (*copy_2d)(const Copy2D* copy, StreamHandle stream);
  Result (*event_create)(EventHandle* event, unsigned flags);
  Result (*event_destroy)(EventHandle event);
  Result (*event_record)(EventHandle event, StreamHandle stream, unsigned flags);
  Result (*event_elapsed)(float* milliseconds, EventHandle begin, EventHandle end);
  Result (*get_error_name)(Result result, const char** text);
  Result (*get_error_string)(Result result, const char** text);

 private:
  void resolve_all();
  template <class Signature>
  void resolve(Signature*& function, const char* symbol);
  void require(Result result, const char* call) const;
  Entry read_device(int index) const;
  [[noreturn]] void fail(Result result, const char* call, const std::string& where) const;

  std::string library_;
  std::shared_ptr<void> handle_;
  int version_ = 0;  // 12040 is CUDA 12.4
  std::vector<Entry> devices_;
};

}  // namespace vocabseg::cuda
