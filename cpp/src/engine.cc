#include "vocabseg/engine.hpp"

#include "openvino_engine.hpp"
#include "tensorrt/engine.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

constexpr const char* kTensorRt = "tensorrt";

const EncoderSpec& encoder_of(const Bundle& bundle, const std::string& tower) {
  const Manifest& manifest = bundle.manifest();
  if (tower == "image") return manifest.image_encoder;
  const auto& encoder = tower == "text" ? manifest.text_encoder : manifest.feedback_encoder;
  if (!encoder) throw BundleError("the bundle has no " + tower + " network");
  return *encoder;
}

// Why no engine of TensorRT can be taken; "" if one can.
std::string tensorrt_problem(const Bundle& bundle, const std::string& tower,
                             const Settings& settings) {
  try {
    check_tensorrt_engine(bundle, tower, settings);
    return "";
  } catch (const CacheError&) {
    throw;  // a folder that others can write to is never passed over
  } catch (const VocabsegError& error) {
    return error.what();
  }
}

}  // namespace

std::vector<BackendInfo> backends() { return {tensorrt_backend(), openvino_backend()}; }

BackendInfo choose_backend(const std::string& name) {
  std::string known;
  for (const BackendInfo& backend : backends()) {
    if (name == "auto" && backend.available && backend.id != kTensorRt) {
      return {backend.id, true, "auto: first backend that runs here, on " + backend.reason};
    }
    if (name == backend.id) {
      if (!backend.available) {
        throw BackendUnavailable("backend " + name + " cannot run: " + backend.reason);
      }
      return {backend.id, true, "asked for by name, on " + backend.reason};
    }
    known += (known.empty() ? "" : "; ") + backend.id + ": " + backend.reason;
  }
  if (name == "auto") throw BackendUnavailable("no backend can run here: " + known);
  throw BackendUnavailable("backend \"" + name + "\" is not known; this version has: " + known);
}

BackendInfo choose_backend(const Bundle& bundle, const std::string& tower,
                           const Settings& settings) {
  if (settings.backend == kTensorRt) {
    BackendInfo chosen = choose_backend(kTensorRt);
    check_tensorrt_engine(bundle, tower, settings);
    return chosen;
  }
  const BackendInfo tensorrt = settings.backend == "auto" ? tensorrt_backend() : BackendInfo{};
  if (!tensorrt.available) return choose_backend(settings.backend);
  const std::string problem = tensorrt_problem(bundle, tower, settings);
  if (problem.empty()) {
    return {kTensorRt, true, "auto: an engine is built for it, on " + tensorrt.reason};
  }
  BackendInfo chosen = choose_backend("auto");
  chosen.reason += "; not tensorrt: " + problem;
  return chosen;
}

std::unique_ptr<Engine> make_engine(const std::filesystem::path& onnx, const Settings& settings) {
  if (choose_backend(settings.backend).id == kTensorRt) {
    throw BackendUnavailable("backend tensorrt runs engines that `vocabseg build` made, not " +
                             onnx.string());
  }
  return make_openvino_engine(onnx, settings);
}

std::unique_ptr<Engine> make_engine(const Bundle& bundle, const std::string& tower,
                                    const Settings& settings) {
  if (choose_backend(bundle, tower, settings).id == kTensorRt) {
    return make_tensorrt_engine(bundle, tower, settings);
  }
  return make_openvino_engine(bundle.file(encoder_of(bundle, tower).variants.at("float32")),
                              settings);
}

}  // namespace vocabseg
