// A CUDA driver without a GPU, for tests: what it pretends to be, and what it was asked to do.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace fake_cuda {

struct Device {
  std::string name = "Fake GPU";
  int major = 8, minor = 9;
  int shared_bytes = 101376;
};

struct Context {
  int device;
  unsigned long long id;
  bool destroyed = false;
};

struct Module {
  Context* context;
  std::string image;  // up to the first zero byte
};

struct Function {
  Module* module;
  std::string symbol;
  int dynamic_shared_bytes = 49152;  // what a launch may ask for
};

struct Launch {
  std::string image, symbol;
  int device;
  std::array<unsigned, 3> grid, block;
  unsigned shared_bytes;
  void* stream;
  std::vector<unsigned char> parameters;
};

// What was queued on a stream. It is done when the stream is waited for, as late as a real device
// may be; what is captured is done by the graph.
struct Operation {
  std::string what;  // "up", "down", "rows", "launch", "record", "graph" or a caller's own word
  void* stream = nullptr;
  size_t bytes = 0;    // of a copy
  std::string detail;  // of a launch: the cubin and its symbol
};

struct Driver {
  std::mutex mutex;
  int version = 13000;
  std::vector<Device> devices = {Device{}};
  std::map<std::string, int> failures;  // call -> CUresult
  std::map<std::string, int> calls;     // call -> how often
  std::set<Module*> modules;            // loaded now
  std::map<int, int> retained;          // device -> how often its primary context is retained
  std::vector<Launch> launches;
  std::vector<std::string> misuse;  // what a real driver might crash on

  // The call that fails, counted from here; 0: none. Those that release something never do.
  int64_t fail_in = 0;
  int failure = 2;
  std::string failed;  // which call that was

  std::map<uintptr_t, size_t> memory, pinned;  // allocated now -> bytes; both are the host's
  size_t capacity = size_t{1} << 40;           // of the device's memory
  double clock = 0;  // the device's, in milliseconds: every operation but a record takes one
  std::set<void*> streams, events,
      graphs;  // there now; graphs count before and after instantiation
  std::vector<Operation> operations;
  std::function<void(const Launch&)> execute;  // a kernel's work, when its turn comes
};

}  // namespace fake_cuda

extern "C" {
// One per process and shared object; reset brings back the defaults (contexts and their numbers
// stay).
fake_cuda::Driver* fake_cuda_driver();
void fake_cuda_reset();
// Queues work of a library of its own, as an engine does.
void fake_cuda_enqueue(void* stream, const char* what, std::function<void()> work);
fake_cuda::Context* fake_cuda_create_context(int device);

// For callers that are not C++.
void fake_cuda_set_device(const char* name, int major, int minor);
// A line per launch: image symbol gx,gy,gz bx,by,bz shared stream parameters-in-hex
const char* fake_cuda_launches();
// A line per operation since the last call: its word and its bytes.
const char* fake_cuda_operations();
}
