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
              {"profile", nlohmann::json::object()},
              {"tensorrt", "10.3.0.26"},
              {"compute_capability", "8.9"},
              {"device", "Fake GPU"},
              {"tegra", is_tegra()},
              {"options", nlohmann::json::object()}}},
            {"digest", "0123456789abcdef"},
            {"plan", "image.plan"},
            {"plan_bytes", 0},
            {"inputs", {"windows"}},
            {"outputs", {"features"}},
            {"rebuild", {"--precision", "fp32"}},
            {"build", nlohmann::json::object()},
            {"parity", {{"passed", true}}},
            {"degraded", false},
            {"latency_ms", 2.0}};
  }

  void write_engine(nlohmann::json record, const std::string& plan = "plan 4") const {
    const auto folder = bundle_.folder() / "engines";
    std::filesystem::create_directories(folder);
    const std::string name = record["plan"];
    test::write(folder / name, plan);
    record["plan_sha256"] = sha256_of_file(folder / name);
    test::write(folder / (name.substr(0, name.rfind('.')) + ".json"), record.dump());
  }

  std::unique_ptr<Engine> make(const std::string& precision = "auto") const {
    Settings settings;
    settings.precision = precision;
    return make_tensorrt_engine(bundle_, "image", settings, place());
  }

  Bundle bundle_;
};

}  // namespace vocabseg
