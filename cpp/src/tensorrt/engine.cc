#include "tensorrt/engine.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "cuda/device_stream.hpp"
#include "tensorrt/built_engines.hpp"
#include "tensorrt/run_memory.hpp"
#include "tensorrt/views.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

using cuda::CurrentContext;
using cuda::SharedGpu;

// Text that another compiler's code wrote.
std::string text_of(const vocabseg_tensorrt_error& error) {
  return {error.text, std::find(error.text, error.text + sizeof(error.text), '\0')};
}

constexpr const char* kFreeMemory = "; free memory on the device (nvidia-smi shows who holds it)";

class TensorRtEngine final : public Engine {
 public:
  TensorRtEngine(SharedGpu gpu, TensorRtLibrary library, BuiltEngine built,
                 const Settings& settings)
      : gpu_(std::move(gpu)),
        library_(std::move(library)),
        built_(std::move(built)),
        log_(settings.log),
        allow_smaller_batch_(settings.allow_smaller_batch),
        stream_(gpu_),
        memory_(gpu_),
        engine_(nullptr, Close{gpu_, &library_.api()}) {
    const CurrentContext current(*gpu_);
    load(read_plan(built_));
    tensors_ = tensors_of(library_.api(), engine_.get());
    largest_batch_ = batches_of(tensors_).largest;
  }

  void run(const TensorMap& inputs, const TensorMap& outputs, Stream* stream) override {
    const std::lock_guard lock(mutex_);
    const CurrentContext current(*gpu_);
    const ViewList views = check_views(tensors_, inputs, outputs, built_.rebuild);
    try {
      if (views.memory == Memory::kHost) return run_on_copies(views);
      if (!stream) throw EngineError("views of device memory need a stream, got none");
      prepare(views, stream->handle);
      queue(views.list, stream->handle);
    } catch (const OutOfMemory& error) {
      give_up(views.batch(), error.what());
    }
  }

  std::string id() const override { return "tensorrt/" + built_.precision; }

  EngineTraits traits() const override { return {true, true, largest_batch_}; }

  uint64_t state() const override {
    const std::lock_guard lock(mutex_);
    return shape_changes_ + memory_.moves();
  }

 private:
  struct Close {
    SharedGpu gpu;
    const vocabseg_tensorrt_api* api;

    void operator()(vocabseg_tensorrt_engine* engine) const {
      const cuda::Driver& driver = gpu->driver();
      cuda::Context previous = nullptr;
      driver.context_get_current(&previous);
      driver.context_set_current(gpu->context());
      api->close(engine);
      driver.context_set_current(previous);
    }
  };

  void load(const std::vector<char>& plan) {
    vocabseg_tensorrt_error error{};
    const size_t free = gpu_->free_memory();
    engine_.reset(library_.api().open(plan.data(), plan.size(), &error));
    if (engine_) return;
    const std::string text = "TensorRT " + library_.version() + " cannot load " +
                             built_.plan.string() + ": " + text_of(error);
    if (plan.size() < free) throw EngineError(text + "; run: " + built_.rebuild);
    throw OutOfMemory(text + "; it has " + std::to_string(plan.size()) + " bytes, " +
                      gpu_->device().name + " has " + std::to_string(free) + " free" + kFreeMemory);
  }

  [[noreturn]] void fail(const vocabseg_tensorrt_error& error) const {
    throw EngineError("TensorRT failed on " + built_.plan.string() + ": " + text_of(error) +
                      "; run: " + built_.rebuild);
  }

  // Shapes and memory, where they are others than the last run's.
  void prepare(const ViewList& views, void* stream) {
    std::vector<int64_t> shapes = views.input_shapes();
    if (shapes != shapes_) {
      shapes_.clear();
      ++shape_changes_;
      vocabseg_tensorrt_error error{};
      needed_ = library_.api().prepare(engine_.get(), views.list.data(),
                                       static_cast<int32_t>(views.list.size()), stream, &error);
      if (needed_ < 0) fail(error);
      shapes_ = std::move(shapes);
    }
    work_ = &memory_.work(static_cast<size_t>(needed_), views.batch());
  }

  void queue(const std::vector<vocabseg_tensorrt_view>& views, void* stream) const {
    vocabseg_tensorrt_error error{};
    if (library_.api().run(engine_.get(), views.data(), static_cast<int32_t>(views.size()),
                           work_->data(), static_cast<int64_t>(work_->bytes()), stream,
                           &error) != 0) {
      fail(error);
    }
  }

  void run_on_copies(const ViewList& host) {
    std::vector<vocabseg_tensorrt_view> views = host.list;
    for (size_t i = 0; i < views.size(); ++i) {
      views[i].data = memory_.copy(views[i].name, host.bytes[i], host.batch()).data();
    }
    prepare(host, stream_.handle());
    try {
      for (size_t i = 0; i < views.size(); ++i) {
        if (views[i].is_input) stream_.upload(views[i].data, host.list[i].data, host.bytes[i]);
      }
      queue(views, stream_.handle());
      for (size_t i = 0; i < views.size(); ++i) {
        if (views[i].is_input) continue;
        stream_.download(host.list[i].data, static_cast<const std::byte*>(views[i].data),
                         host.bytes[i]);
      }
      stream_.synchronize();
    } catch (...) {
      stream_.settle();  // copies that are queued may still use the caller's memory
      throw;
    }
  }

  // A run of `batch` rows found too little memory.
  [[noreturn]] void give_up(int64_t batch, const std::string& shortage) {
    const int64_t smallest = batches_of(tensors_).smallest;
    const int64_t fewer = std::max(batch / 2, smallest);
    if (fewer >= batch) {
      const bool profile = batch > 1;
      throw OutOfMemory(
          shortage + kFreeMemory +
          (profile ? ", or run: " + built_.rebuild + " --batch 1,1," + std::to_string(batch / 2)
                   : ""));
    }
    if (!allow_smaller_batch_) {
      throw OutOfMemory(shortage + kFreeMemory +
                        ", or allow a smaller batch: allow_smaller_batch in the settings, "
                        "--allow-smaller-batch on the command line");
    }
    largest_batch_ = fewer;
    if (log_) {
      log_(Level::kWarning, id() + ": " + shortage + "; batches of " + std::to_string(fewer) +
                                " instead of " + std::to_string(batch) + " from now on");
    }
    throw OutOfMemory(shortage);
  }

  SharedGpu gpu_;
  TensorRtLibrary library_;
  BuiltEngine built_;
  LogCallback log_;
  bool allow_smaller_batch_;
  mutable std::mutex mutex_;  // one run at a time
  cuda::DeviceStream stream_;
  RunMemory memory_;
  std::unique_ptr<vocabseg_tensorrt_engine, Close> engine_;
  std::vector<vocabseg_tensorrt_tensor> tensors_;
  std::atomic<int64_t> largest_batch_ = 0;
  std::vector<int64_t> shapes_;  // that the engine is prepared for
  uint64_t shape_changes_ = 0;
  int64_t needed_ = 0;  // bytes of such a run
  const cuda::DeviceBuffer* work_ = nullptr;
};

EngineMachine machine_of(const cuda::Device& device, const TensorRtLibrary& library) {
  return {library.version(),
          std::to_string(device.arch / 10) + "." + std::to_string(device.arch % 10), device.name,
          is_tegra()};
}

}  // namespace

BackendInfo tensorrt_backend(const TensorRtPlace& place) {
  try {
    const TensorRtLibrary library(place.library);
    const cuda::Driver driver(place.driver);
    return {"tensorrt", true,
            driver.device(place.device).info.name + " with TensorRT " + library.version()};
  } catch (const BackendUnavailable& error) {
    return {"tensorrt", false, error.what()};
  }
}

std::unique_ptr<Engine> make_tensorrt_engine(const Bundle& bundle, const std::string& tower,
                                             const Settings& settings, const TensorRtPlace& place) {
  TensorRtLibrary library(place.library);
  auto gpu = std::make_shared<const cuda::Gpu>(place.device, place.driver);
  BuiltEngine built = find_engine(bundle, tower, machine_of(gpu->device(), library), settings);
  return std::make_unique<TensorRtEngine>(std::move(gpu), std::move(library), std::move(built),
                                          settings);
}

void check_tensorrt_engine(const Bundle& bundle, const std::string& tower, const Settings& settings,
                           const TensorRtPlace& place) {
  const TensorRtLibrary library(place.library);
  const cuda::Driver driver(place.driver);
  find_engine(bundle, tower, machine_of(driver.device(place.device).info, library), settings);
}

}  // namespace vocabseg
