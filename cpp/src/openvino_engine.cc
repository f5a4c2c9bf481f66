#include "openvino_engine.hpp"

#include <algorithm>
#include <mutex>
#include <openvino/openvino.hpp>
#include <utility>

#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

constexpr const char* kDevice = "CPU";

// One per process and never destroyed: its plugins must outlive every static object.
ov::Core& core() {
  static auto* instance = new ov::Core;
  return *instance;
}

bool supports_bfloat16() {
  const auto capabilities = core().get_property(kDevice, ov::device::capabilities);
  return std::count(capabilities.begin(), capabilities.end(), "BF16") > 0;
}

ov::element::Type resolve_precision(const std::string& name) {
  if (name == "float32") return ov::element::f32;
  if (name != "auto" && name != "bfloat16") {
    throw BackendUnavailable("precision \"" + name +
                             "\" is not known; expected auto, float32 or bfloat16");
  }
  const bool supported = supports_bfloat16();
  if (name == "bfloat16" && !supported) {
    throw BackendUnavailable(
        "precision bfloat16 needs a CPU with AVX-512 BF16 or AMX; use precision float32 or auto");
  }
  return supported ? ov::element::bf16 : ov::element::f32;
}

ov::AnyMap properties(const Settings& settings, ov::element::Type precision) {
  ov::AnyMap map{ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
                 ov::hint::inference_precision(precision), ov::num_streams(1)};
  if (settings.threads > 0) map.insert(ov::inference_num_threads(settings.threads));
  return map;
}

ov::Tensor wrap(const TensorView& view) {
  if (view.memory != Memory::kHost) {
    throw EngineError("OpenVINO takes host memory, got device memory");
  }
  const auto type = view.dtype == DType::kFloat32 ? ov::element::f32 : ov::element::i64;
  return {type, ov::Shape(view.shape.begin(), view.shape.end()), view.data};
}

class OpenVinoEngine final : public Engine {
 public:
  OpenVinoEngine(const std::filesystem::path& onnx, const Settings& settings)
      : precision_(resolve_precision(settings.precision)), path_(onnx) {
    try {
      request_ = core()
                     .compile_model(onnx.string(), kDevice, properties(settings, precision_))
                     .create_infer_request();
    } catch (const std::exception& error) {
      throw EngineError("OpenVINO cannot compile " + path_.string() + ": " + error.what());
    }
  }

  void run(const TensorMap& inputs, const TensorMap& outputs, Stream*) override {
    const std::lock_guard lock(mutex_);
    try {
      for (const auto& [name, view] : inputs) request_.set_tensor(name, wrap(view));
      for (const auto& [name, view] : outputs) request_.set_tensor(name, wrap(view));
      request_.infer();
    } catch (const std::exception& error) {
      throw EngineError("OpenVINO failed on " + path_.string() + ": " + error.what());
    }
  }

  std::string id() const override {
    return precision_ == ov::element::bf16 ? "openvino/bfloat16" : "openvino/float32";
  }

 private:
  ov::element::Type precision_;
  std::filesystem::path path_;
  std::mutex mutex_;
  ov::InferRequest request_;
};

}  // namespace

BackendInfo openvino_backend() {
  try {
    return {"openvino", true, core().get_property(kDevice, ov::device::full_name)};
  } catch (const std::exception& error) {
    return {"openvino", false, std::string("OpenVINO has no CPU device: ") + error.what()};
  }
}

std::string openvino_version() { return ov::get_openvino_version().buildNumber; }

std::unique_ptr<Engine> make_openvino_engine(const std::filesystem::path& onnx,
                                             const Settings& settings) {
  return std::make_unique<OpenVinoEngine>(onnx, settings);
}

}  // namespace vocabseg
