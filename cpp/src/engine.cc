#include "vocabseg/engine.hpp"

#include "openvino_engine.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg {

std::vector<BackendInfo> backends() { return {openvino_backend()}; }

BackendInfo choose_backend(const std::string& name) {
  std::string known;
  for (const BackendInfo& backend : backends()) {
    if (name == "auto" && backend.available) {
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

std::unique_ptr<Engine> make_engine(const std::filesystem::path& onnx, const Settings& settings) {
  choose_backend(settings.backend);  // throws unless it can run; OpenVINO is the only one so far
  return make_openvino_engine(onnx, settings);
}

}  // namespace vocabseg
