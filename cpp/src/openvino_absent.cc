// Stands in for openvino_engine.cc in a build without OpenVINO.
#include "openvino_engine.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

constexpr const char* kReason =
    "this libvocabseg was built without OpenVINO; run `pip install openvino==2026.4.1` and "
    "configure it again";

}  // namespace

BackendInfo openvino_backend() { return {"openvino", false, kReason}; }

std::string openvino_version() { return ""; }

std::unique_ptr<Engine> make_openvino_engine(const std::filesystem::path&, const Settings&) {
  throw BackendUnavailable(kReason);
}

}  // namespace vocabseg
