// Built as libvocabseg_tensorrt.so: engines whose plan is "plan N" run the colour network on up to
// N windows, on the fake device.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "cuda/colour_network.hpp"
#include "tensorrt/abi.h"

#ifndef FAKE_ABI
#define FAKE_ABI VOCABSEG_TENSORRT_ABI
#endif

struct vocabseg_tensorrt_engine {
  int64_t largest;
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
    return new vocabseg_tensorrt_engine{std::atoi(text.c_str() + 5)};
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
  const int64_t n = engine->largest;
  if (capacity >= 2) {
    out[0] = {"windows", 1, VOCABSEG_TENSORRT_FLOAT32, 4, {-1, 3, 32, 32}, {n, 3, 32, 32}};
    out[1] = {"features", 0, VOCABSEG_TENSORRT_FLOAT32, 3, {-1, 16, 16}, {-1, 16, 16}};
  }
  return 2;
}

int32_t run(vocabseg_tensorrt_engine* engine, const vocabseg_tensorrt_view* views, int32_t count,
            void* stream, vocabseg_tensorrt_error* error) {
  const bool known = count == 2 && views[0].name == std::string("windows");
  if (!known || views[0].shape[0] > engine->largest || std::getenv("FAKE_TENSORRT_FAILS")) {
    std::snprintf(error->text, sizeof(error->text), "enqueueV3 failed: as the test wanted");
    return 1;
  }
  const auto work = [in = views[0], out = views[1]] {
    vocabseg::cuda::colour_network(in.data, in.shape[0], out.data);
  };
  enqueue()(stream, "network", work);
  return 0;
}

constexpr vocabseg_tensorrt_api kApi = {FAKE_ABI, version, open_engine, close_engine, tensors, run};

}  // namespace

extern "C" {
const vocabseg_tensorrt_api* vocabseg_tensorrt() { return &kApi; }
int fake_tensorrt_open_engines() { return open_engines; }
}
