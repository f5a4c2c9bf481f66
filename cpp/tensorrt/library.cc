// libvocabseg_tensorrt.so: runs serialised engines with TensorRT 10.3 to 11. Only what all of these
// have is used.
#include <NvInfer.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>

#include "tensorrt/abi.h"

static_assert(NV_TENSORRT_MAJOR > 10 || (NV_TENSORRT_MAJOR == 10 && NV_TENSORRT_MINOR >= 3),
              "TensorRT 10.3 or newer is needed");

namespace {

namespace trt = nvinfer1;
using Error = vocabseg_tensorrt_error;

// Keeps the first error since it was asked for; TensorRT's calls say only that they failed.
class Logger final : public trt::ILogger {
 public:
  void log(Severity severity, const char* message) noexcept override {
    if (severity > Severity::kERROR) return;
    const std::lock_guard lock(mutex_);
    if (first_[0] == '\0') std::snprintf(first_, sizeof(first_), "%s", message);
  }

  void explain(const char* call, Error& error) noexcept {
    const std::lock_guard lock(mutex_);
    std::snprintf(error.text, sizeof(error.text), "%s failed: %s", call,
                  first_[0] ? first_ : "TensorRT gives no reason");
    first_[0] = '\0';
  }

 private:
  std::mutex mutex_;
  char first_[1536] = "";
};

trt::Dims dims(const vocabseg_tensorrt_view& view) {
  trt::Dims out{};
  out.nbDims = view.rank;
  std::copy_n(view.shape, view.rank, out.d);
  return out;
}

int32_t type_of(trt::DataType type) {
  if (type == trt::DataType::kFLOAT) return VOCABSEG_TENSORRT_FLOAT32;
  return type == trt::DataType::kINT64 ? VOCABSEG_TENSORRT_INT64 : VOCABSEG_TENSORRT_OTHER;
}

}  // namespace

struct vocabseg_tensorrt_engine {
  Logger logger;
  std::unique_ptr<trt::IRuntime> runtime;
  std::unique_ptr<trt::ICudaEngine> engine;
  std::unique_ptr<trt::IExecutionContext> context;
  int32_t profile = 0;
  void* memory = nullptr;  // that the context has, of so many bytes; none since the last `prepare`
  int64_t bytes = 0;
};

namespace {

using Engine = vocabseg_tensorrt_engine;

// Whether the shape lies within a profile's.
bool holds(const trt::ICudaEngine& engine, int32_t profile, const vocabseg_tensorrt_view& view) {
  const trt::Dims least = engine.getProfileShape(view.name, profile, trt::OptProfileSelector::kMIN);
  const trt::Dims greatest =
      engine.getProfileShape(view.name, profile, trt::OptProfileSelector::kMAX);
  if (greatest.nbDims != view.rank) return false;
  for (int32_t i = 0; i < view.rank; ++i) {
    if (view.shape[i] < least.d[i] || view.shape[i] > greatest.d[i]) return false;
  }
  return true;
}

// The first profile that takes all inputs, or -1.
int32_t profile_for(const trt::ICudaEngine& engine, const vocabseg_tensorrt_view* views,
                    int32_t count) {
  for (int32_t profile = 0; profile < engine.getNbOptimizationProfiles(); ++profile) {
    const bool fits = std::all_of(views, views + count, [&](const auto& view) {
      return !view.is_input || holds(engine, profile, view);
    });
    if (fits) return profile;
  }
  return -1;
}

// The call that failed, or null. Where the shapes' need is not told, it is at most the profile's.
const char* set_shapes(Engine& engine, const vocabseg_tensorrt_view* views, int32_t count,
                       cudaStream_t stream, int64_t& bytes) {
  trt::IExecutionContext& context = *engine.context;
  engine.memory = nullptr, engine.bytes = 0;
  const int32_t profile = profile_for(*engine.engine, views, count);
  if (profile < 0) return "finding a profile for these shapes";
  if (profile != engine.profile) {
    if (!context.setOptimizationProfileAsync(profile, stream)) return "setOptimizationProfileAsync";
    engine.profile = profile;
  }
  for (int32_t i = 0; i < count; ++i) {
    const auto& view = views[i];
    if (view.is_input && !context.setInputShape(view.name, dims(view))) return "setInputShape";
  }
  bytes = static_cast<int64_t>(context.updateDeviceMemorySizeForShapes());
  if (bytes == 0) bytes = engine.engine->getDeviceMemorySizeForProfileV2(profile);
  return nullptr;
}

const char* queue(Engine& engine, const vocabseg_tensorrt_view* views, int32_t count, void* memory,
                  int64_t bytes, cudaStream_t stream) {
  trt::IExecutionContext& context = *engine.context;
  if (memory != engine.memory || bytes != engine.bytes) {
    context.setDeviceMemoryV2(memory, bytes);
    engine.memory = memory, engine.bytes = bytes;
  }
  for (int32_t i = 0; i < count; ++i) {
    if (!context.setTensorAddress(views[i].name, views[i].data)) return "setTensorAddress";
  }
  return context.enqueueV3(stream) ? nullptr : "enqueueV3";
}

const char* open_plan(Engine& engine, const void* plan, size_t bytes) {
  engine.runtime.reset(trt::createInferRuntime(engine.logger));
  if (!engine.runtime) return "createInferRuntime";
  engine.engine.reset(engine.runtime->deserializeCudaEngine(plan, bytes));
  if (!engine.engine) return "deserializeCudaEngine";
  engine.context.reset(engine.engine->createExecutionContext(
      trt::ExecutionContextAllocationStrategy::kUSER_MANAGED));
  return engine.context ? nullptr : "createExecutionContext";
}

int32_t version() { return getInferLibVersion(); }

Engine* open_engine(const void* plan, size_t bytes, Error* error) {
  try {
    auto engine = std::make_unique<Engine>();
    const char* failed = open_plan(*engine, plan, bytes);
    if (!failed) return engine.release();
    engine->logger.explain(failed, *error);
  } catch (const std::exception& exception) {
    std::snprintf(error->text, sizeof(error->text), "%s", exception.what());
  }
  return nullptr;
}

void close_engine(Engine* engine) { delete engine; }

void add_profiles(const trt::ICudaEngine& network, vocabseg_tensorrt_tensor& tensor) {
  for (int32_t profile = 0; profile < network.getNbOptimizationProfiles(); ++profile) {
    const trt::Dims least =
        network.getProfileShape(tensor.name, profile, trt::OptProfileSelector::kMIN);
    const trt::Dims most =
        network.getProfileShape(tensor.name, profile, trt::OptProfileSelector::kMAX);
    for (int32_t k = 0; k < most.nbDims; ++k) {
      int64_t &smallest = tensor.smallest[k], &largest = tensor.largest[k];
      smallest = smallest < 0 ? least.d[k] : std::min<int64_t>(smallest, least.d[k]);
      largest = std::max<int64_t>(largest, most.d[k]);
    }
  }
}

int32_t tensors(const Engine* engine, vocabseg_tensorrt_tensor* out, int32_t capacity) {
  const trt::ICudaEngine& network = *engine->engine;
  const int32_t count = network.getNbIOTensors();
  for (int32_t i = 0; i < std::min(count, capacity); ++i) {
    const char* name = network.getIOTensorName(i);
    const trt::Dims shape = network.getTensorShape(name);
    vocabseg_tensorrt_tensor tensor{};
    tensor.name = name;
    tensor.is_input = network.getTensorIOMode(name) == trt::TensorIOMode::kINPUT;
    tensor.type = type_of(network.getTensorDataType(name));
    tensor.rank = shape.nbDims;
    std::copy_n(shape.d, shape.nbDims, tensor.shape);
    std::copy_n(shape.d, shape.nbDims, tensor.smallest);
    std::copy_n(shape.d, shape.nbDims, tensor.largest);
    if (tensor.is_input) add_profiles(network, tensor);
    out[i] = tensor;
  }
  return count;
}

// Calls `work`, which returns the call that failed or null. Whether nothing did.
template <class Work>
bool guarded(Engine* engine, Error* error, const Work& work) {
  try {
    const char* failed = work();
    if (!failed) return true;
    engine->logger.explain(failed, *error);
  } catch (const std::exception& exception) {
    std::snprintf(error->text, sizeof(error->text), "%s", exception.what());
  }
  return false;
}

int64_t prepare_engine(Engine* engine, const vocabseg_tensorrt_view* views, int32_t count,
                       void* stream, Error* error) {
  int64_t bytes = 0;
  const bool done = guarded(engine, error, [&] {
    return set_shapes(*engine, views, count, static_cast<cudaStream_t>(stream), bytes);
  });
  return done ? bytes : -1;
}

int32_t run_engine(Engine* engine, const vocabseg_tensorrt_view* views, int32_t count, void* memory,
                   int64_t bytes, void* stream, Error* error) {
  const bool done = guarded(engine, error, [&] {
    return queue(*engine, views, count, memory, bytes, static_cast<cudaStream_t>(stream));
  });
  return done ? 0 : 1;
}

constexpr vocabseg_tensorrt_api kApi = {
    VOCABSEG_TENSORRT_ABI, version, open_engine, close_engine, tensors, prepare_engine, run_engine};

}  // namespace

extern "C" __attribute__((visibility("default"))) const vocabseg_tensorrt_api* vocabseg_tensorrt() {
  return &kApi;
}
