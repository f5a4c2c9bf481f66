// Which built engine is taken, and what is said where none can be.
#include "tensorrt/engine_fixture.hpp"

namespace vocabseg {
namespace {

using test::thrown;

class BuiltEngines : public TensorRtTest {
 protected:
  std::string refusal(const std::function<void(nlohmann::json&)>& change) const {
    nlohmann::json changed = record();
    change(changed);
    write_engine(changed);
    return thrown<EngineError>([&] { make(); });
  }
};

TEST_F(BuiltEngines, NoneIsBuilt) {
  const std::string command =
      "run: vocabseg build " + bundle_.folder().string() + " --engine tensorrt";
  const std::string message = thrown<BackendUnavailable>([&] { make(); });
  EXPECT_NE(message.find("has no engine of the image network; " + command), std::string::npos)
      << message;
  write_engine(record());
  EXPECT_NE(thrown<BackendUnavailable>([&] {
              make("float16");
            }).find("of the image network in float16; " + command + " --precision float16"),
            std::string::npos);
  make("float32");
}

TEST_F(BuiltEngines, FieldsThatDifferAreNamed) {
  const auto field = [&](const char* name, const nlohmann::json& value) {
    return refusal([&](nlohmann::json& changed) { changed["key"][name] = value; });
  };
  EXPECT_NE(field("tensorrt", "10.3.1")
                .find("tensorrt is 10.3.1, expected 10.3.0; run: vocabseg "
                      "build "),
            std::string::npos);
  EXPECT_NE(field("compute_capability", "8.6").find("compute_capability is 8.6, expected 8.9"),
            std::string::npos);
  EXPECT_NE(field("device", "Orin").find("device is Orin, expected Fake GPU"), std::string::npos);
  EXPECT_NE(field("tegra", !is_tegra()).find("tegra is "), std::string::npos);
  EXPECT_NE(field("onnx_sha256", "abc").find("onnx_sha256 is abc, expected "), std::string::npos);
  EXPECT_NE(field("precision", "int8").find("a graph that the bundle does not have"),
            std::string::npos);
  EXPECT_NE(field("device", "Orin").find("--engine tensorrt --precision fp32"), std::string::npos);
  EXPECT_EQ(field("tensorrt", "10.3.0"), "not thrown");
}

TEST_F(BuiltEngines, OnlyThoseThatWereChecked) {
  EXPECT_NE(refusal([](auto& changed) { changed["parity"] = nullptr; }).find("failed their check"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& changed) { changed["parity"]["passed"] = false; }).find("--allow-"),
            std::string::npos);
  EXPECT_EQ(refusal([](auto& changed) {
              changed["parity"]["passed"] = false;
              changed["degraded"] = true;
            }),
            "not thrown");
}

TEST_F(BuiltEngines, TheFastestIsTaken) {
  write_engine(record());
  nlohmann::json fast = record();
  fast["plan"] = "fast.plan", fast["latency_ms"] = 1.0;
  write_engine(fast, "plan 2");
  nlohmann::json failed = record();
  failed["plan"] = "failed.plan", failed["latency_ms"] = 0.5;
  failed["parity"]["passed"] = false, failed["degraded"] = true;
  write_engine(failed, "plan 1");
  EXPECT_EQ(make()->traits().largest_batch, 2);
}

TEST_F(BuiltEngines, RecordsThatCannotBeRead) {
  EXPECT_NE(refusal([](auto& changed) { changed["schema_version"] = 2; }).find("expected 1"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& changed) { changed.erase("key"); }).find("not a record"),
            std::string::npos);
  test::write(bundle_.folder() / "engines" / "image.json", "{");
  EXPECT_NE(thrown<EngineError>([&] { make(); }).find("delete it, and run: vocabseg build"),
            std::string::npos);
  nlohmann::json outside = record();
  outside["plan"] = "../image.onnx";
  outside["plan_sha256"] = "";
  test::write(bundle_.folder() / "engines" / "image.json", outside.dump());
  EXPECT_NE(thrown<EngineError>([&] { make(); }).find("which is not a file name"),
            std::string::npos);
}

TEST_F(BuiltEngines, PlansThatAreCutOrAltered) {
  write_engine(record());
  const auto plan = bundle_.folder() / "engines" / "image.plan";
  test::write(plan, "plan 5");
  EXPECT_NE(thrown<EngineError>([&] { make(); }).find("missing or damaged: got 6 bytes"),
            std::string::npos);
  std::filesystem::remove(plan);
  EXPECT_NE(thrown<EngineError>([&] { make(); }).find("missing or damaged: got 0 bytes"),
            std::string::npos);
}

}  // namespace
}  // namespace vocabseg
