#include "tensorrt/engine.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "cuda/device_stream.hpp"
#include "tensorrt/built_engines.hpp"
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

class TensorRtEngine final : public Engine {
 public:
  TensorRtEngine(SharedGpu gpu, TensorRtLibrary library, BuiltEngine built)
      : gpu_(std::move(gpu)),
        library_(std::move(library)),
        built_(std::move(built)),
        stream_(gpu_),
        engine_(nullptr, Close{gpu_, &library_.api()}) {
    const CurrentContext current(*gpu_);
    const std::vector<char> plan = read_plan(built_);
    vocabseg_tensorrt_error error{};
    engine_.reset(library_.api().open(plan.data(), plan.size(), &error));
    if (!engine_) {
      throw EngineError("TensorRT " + library_.version() + " cannot load " + built_.plan.string() +
                        ": " + text_of(error) + "; run: " + built_.rebuild);
    }
    tensors_ = tensors_of(library_.api(), engine_.get());
  }

  void run(const TensorMap& inputs, const TensorMap& outputs, Stream* stream) override {
    const std::lock_guard lock(mutex_);
    const CurrentContext current(*gpu_);
    const ViewList views = check_views(tensors_, inputs, outputs, built_.rebuild);
    if (views.memory == Memory::kHost) return run_on_copies(views);
    if (!stream) throw EngineError("views of device memory need a stream, got none");
    queue(views.list, stream->handle);
  }

  std::string id() const override { return "tensorrt/" + built_.precision; }

  EngineTraits traits() const override { return {true, true, largest_batch(tensors_)}; }

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

  void queue(const std::vector<vocabseg_tensorrt_view>& views, void* stream) const {
    vocabseg_tensorrt_error error{};
    if (library_.api().run(engine_.get(), views.data(), static_cast<int32_t>(views.size()), stream,
                           &error) != 0) {
      throw EngineError("TensorRT failed on " + built_.plan.string() + ": " + text_of(error) +
                        "; run: " + built_.rebuild);
    }
  }

  void run_on_copies(const ViewList& host) {
    std::vector<vocabseg_tensorrt_view> views = host.list;
    try {
      for (size_t i = 0; i < views.size(); ++i) {
        auto& copy = copies_.try_emplace(views[i].name, gpu_).first->second;
        copy.reserve(host.bytes[i]);
        views[i].data = copy.data();
        if (views[i].is_input) stream_.upload(copy, host.list[i].data, host.bytes[i]);
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

  SharedGpu gpu_;
  TensorRtLibrary library_;
  BuiltEngine built_;
  std::mutex mutex_;  // one run at a time
  cuda::DeviceStream stream_;
  std::map<std::string, cuda::DeviceBuffer> copies_;
  std::unique_ptr<vocabseg_tensorrt_engine, Close> engine_;
  std::vector<vocabseg_tensorrt_tensor> tensors_;
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
  BuiltEngine built =
      find_engine(bundle, tower, machine_of(gpu->device(), library), settings.precision);
  return std::make_unique<TensorRtEngine>(std::move(gpu), std::move(library), std::move(built));
}

void check_tensorrt_engine(const Bundle& bundle, const std::string& tower, const Settings& settings,
                           const TensorRtPlace& place) {
  const TensorRtLibrary library(place.library);
  const cuda::Driver driver(place.driver);
  find_engine(bundle, tower, machine_of(driver.device(place.device).info, library),
              settings.precision);
}

}  // namespace vocabseg
