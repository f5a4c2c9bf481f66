// Bundles with engines of the fake TensorRT.
#pragma once

#include "cuda/frame_fixture.hpp"
#include "tensorrt/built_engines.hpp"
#include "tensorrt/engine.hpp"
#include "thrown.hpp"

namespace vocabseg {

class TensorRtTest : public cuda::GpuFrameTest {
 protected:
  TensorRtTest() : bundle_(bundle(manifest_json())) {}

  static TensorRtPlace place() { return {FAKE_CUDA, FAKE_TENSORRT, 0}; }

  // As vocabseg build writes it.
  nlohmann::json record() const {
    const std::string hash = bundle_.manifest().sha256.at("image.onnx");
    return {{"schema_version", 1},
            {"tower", "image"},
            {"key",
             {{"schema", 1},
              {"onnx_sha256", hash},
              {"precision", "float32"},
              {"profile", {{"windows", {{1, 3, 32, 32}, {2, 3, 32, 32}, {4, 3, 32, 32}}}}},
              {"tensorrt", "10.3.0.26"},
              {"compute_capability", "8.9"},
              {"device", "Fake GPU"},
              {"tegra", is_tegra()},
              {"options", nlohmann::json::object()}}},
            {"digest", "0123456789abcdef"},
            {"plan", "image.plan"},
            {"plan_sha256", ""},
            {"plan_bytes", 0},
            {"inputs", {"windows"}},
            {"outputs", {"features"}},
            {"rebuild", {"--precision", "float32"}},
            {"build", nlohmann::json::object()},
            {"parity", {{"passed", true}, {"failures", nlohmann::json::array()}}},
            {"degraded", false},
            {"latency_ms", 2.0}};
  }

  // Into the bundle's folder, or settings_.engines.
  void write_engine(nlohmann::json record, const std::string& plan = "plan 4") const {
    const auto folder = settings_.engines.empty() ? bundle_.folder() / "engines"
                                                  : std::filesystem::path(settings_.engines);
    std::filesystem::create_directories(folder);
    const std::string name = record["plan"];
    test::write(folder / name, plan);
    record["plan_sha256"] = sha256_of_file(folder / name);
    record["plan_bytes"] = plan.size();
    test::write(folder / (name.substr(0, name.rfind('.')) + ".json"), record.dump());
  }

  std::unique_ptr<Engine> make(const std::string& precision = "auto") const {
    Settings settings = settings_;
    settings.precision = precision;
    return make_tensorrt_engine(bundle_, "image", settings, place());
  }

  Bundle bundle_;
  Settings settings_;
};

}  // namespace vocabseg
