// Built as libvocabseg_tensorrt.so: engines whose plan is "plan N LEAST BYTES" run the colour
// network on LEAST (1) to N windows, on the fake device, and work in BYTES (256) per window.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sstream>
#include <string>

#include "cuda/colour_network.hpp"
#include "tensorrt/abi.h"

#ifndef FAKE_ABI
#define FAKE_ABI VOCABSEG_TENSORRT_ABI
#endif

struct vocabseg_tensorrt_engine {
  int64_t largest = 0, smallest = 1, bytes = 256;
  int64_t windows = 0;  // that it is prepared for
};

namespace {

using Enqueue = void(void*, const char*, std::function<void()>);

int open_engines = 0;

Enqueue* enqueue() {
  void* driver = dlopen(FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<Enqueue*>(dlsym(driver, "fake_cuda_enqueue"));
}

int32_t version() { return 100300; }

vocabseg_tensorrt_engine* open_engine(const void* plan, size_t bytes,
                                      vocabseg_tensorrt_error* error) {
  const std::string text(static_cast<const char*>(plan), bytes);
  if (text.rfind("plan ", 0) == 0) {
    ++open_engines;
    auto* engine = new vocabseg_tensorrt_engine;
    std::istringstream(text.substr(5)) >> engine->largest >> engine->smallest >> engine->bytes;
    return engine;
  }
  std::snprintf(error->text, sizeof(error->text), "deserializeCudaEngine failed: magic tag");
  return nullptr;
}

void close_engine(vocabseg_tensorrt_engine* engine) {
  --open_engines;
  delete engine;
}

int32_t tensors(const vocabseg_tensorrt_engine* engine, vocabseg_tensorrt_tensor* out,
                int32_t capacity) {
  const int64_t least = engine->smallest, most = engine->largest;
  if (capacity >= 2) {
    out[0] = {
        "windows",        1, VOCABSEG_TENSORRT_FLOAT32, 4, {-1, 3, 32, 32}, {least, 3, 32, 32},
        {most, 3, 32, 32}};
    out[1] = {"features",   0,           VOCABSEG_TENSORRT_FLOAT32, 3, {-1, 16, 16},
              {-1, 16, 16}, {-1, 16, 16}};
  }
  return 2;
}

int64_t prepare(vocabseg_tensorrt_engine* engine, const vocabseg_tensorrt_view* views, int32_t,
                void*, vocabseg_tensorrt_error* error) {
  const int64_t windows = views[0].shape[0];
  if (windows < engine->smallest || windows > engine->largest) {
    std::snprintf(error->text, sizeof(error->text), "finding a profile for these shapes failed");
    return -1;
  }
  engine->windows = windows;
  return windows * engine->bytes;
}

int32_t run(vocabseg_tensorrt_engine* engine, const vocabseg_tensorrt_view* views, int32_t count,
            void* memory, int64_t bytes, void* stream, vocabseg_tensorrt_error* error) {
  const bool known =
      count == 2 && views[0].name == std::string("windows") && views[0].shape[0] == engine->windows;
  const int64_t needed = engine->windows * engine->bytes;
  if (!known || bytes < needed || std::getenv("FAKE_TENSORRT_FAILS")) {
    std::snprintf(error->text, sizeof(error->text), "enqueueV3 failed: as the test wanted");
    return 1;
  }
  const auto work = [in = views[0], out = views[1], memory, needed] {
    std::memset(memory, 0x5a, static_cast<size_t>(needed));
    vocabseg::cuda::colour_network(in.data, in.shape[0], out.data);
  };
  enqueue()(stream, "network", work);
  return 0;
}

constexpr vocabseg_tensorrt_api kApi = {FAKE_ABI, version, open_engine, close_engine,
                                        tensors,  prepare, run};

}  // namespace

extern "C" {
const vocabseg_tensorrt_api* vocabseg_tensorrt() { return &kApi; }
int fake_tensorrt_open_engines() { return open_engines; }
}
