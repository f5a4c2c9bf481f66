// Which built engine is taken, and what is said where none can be.
#include "tensorrt/engine_fixture.hpp"

namespace vocabseg {
namespace {

using test::thrown;

class BuiltEngines : public TensorRtTest {
 protected:
  // What is said where this is the only engine; "not thrown" where it runs.
  template <class Error>
  std::string refusal(const std::function<void(nlohmann::json&)>& change) const {
    nlohmann::json changed = record();
    change(changed);
    write_engine(changed);
    return thrown<Error>([&] { make(); });
  }

  std::string command(const std::string& options = "") const {
    return "; run: vocabseg build " + bundle_.folder().string() + " --engine tensorrt" + options;
  }
};

TEST_F(BuiltEngines, NoneIsBuilt) {
  const std::string folder = (bundle_.folder() / "engines").string();
  EXPECT_EQ(thrown<BackendUnavailable>([&] { make(); }),
            folder + " has no engine of the image network" + command());
  write_engine(record());
  EXPECT_EQ(
      thrown<BackendUnavailable>([&] { make("float16"); }),
      folder + " has no float16 engine of the image network" + command(" --precision float16"));
  make("float32");
}

TEST_F(BuiltEngines, FieldsThatDifferAreNamed) {
  const std::string plan = (bundle_.folder() / "engines" / "image.plan").string();
  const auto expect = [&](const char* name, const nlohmann::json& value, const std::string& said) {
    EXPECT_EQ(refusal<EngineMismatch>([&](auto& changed) { changed["key"][name] = value; }),
              "engine " + plan + " does not fit: " + said + command(" --precision float32"));
  };
  expect("tensorrt", "10.3.1", "tensorrt is 10.3.1, expected 10.3.0");
  expect("tensorrt", "10.3.01", "tensorrt is 10.3.01, expected 10.3.0");
  expect("compute_capability", "8.6", "compute_capability is 8.6, expected 8.9");
  expect("device", "Orin", "device is Orin, expected Fake GPU");
  const std::string here = is_tegra() ? "true" : "false", elsewhere = is_tegra() ? "false" : "true";
  expect("tegra", !is_tegra(), "tegra is " + elsewhere + ", expected " + here);
  expect("onnx_sha256", "abc",
         "onnx_sha256 is abc, expected " +
             bundle_.manifest().sha256.at("image.onnx").substr(0, 12) + "…");
  EXPECT_NE(refusal<EngineMismatch>([](auto& changed) {
              changed["key"]["precision"] = "int8";
              changed["key"]["device"] = "Orin";
            }).find("no graph of that precision in the bundle; device is Orin"),
            std::string::npos);
  EXPECT_EQ(refusal<EngineError>([](auto& changed) { changed["key"]["tensorrt"] = "10.3.0"; }),
            "not thrown");
}

TEST_F(BuiltEngines, TheOneThatDiffersLeastIsNamed) {
  nlohmann::json far = record();
  far["plan"] = "a.plan", far["key"]["device"] = "Orin", far["key"]["tensorrt"] = "9.0";
  write_engine(far);
  EXPECT_NE(refusal<EngineMismatch>([](auto& changed) {
              changed["key"]["device"] = "Xavier";
            }).find("image.plan does not fit: device is Xavier, expected Fake GPU; run"),
            std::string::npos);
}

TEST_F(BuiltEngines, OnlyThoseThatWereChecked) {
  const std::string plan = (bundle_.folder() / "engines" / "image.plan").string();
  EXPECT_EQ(refusal<ParityError>([](auto& changed) { changed["parity"] = nullptr; }),
            "engine " + plan + " was never checked" + command(" --precision float32"));
  const auto fail = [](nlohmann::json& changed) {
    changed["parity"] = {{"passed", false}, {"failures", {"cosine 0.1", "agreement 0.2"}}};
  };
  EXPECT_EQ(refusal<ParityError>(fail),
            "engine " + plan +
                " failed its parity gate (cosine 0.1; agreement 0.2); build another --precision, "
                "or accept it with: vocabseg build " +
                bundle_.folder().string() +
                " --engine tensorrt --precision float32 --allow-degraded");
  EXPECT_EQ(refusal<ParityError>([&](auto& changed) {
              fail(changed);
              changed["degraded"] = true;
            }),
            "not thrown");
}

TEST_F(BuiltEngines, OutsideTheBundle) {
  const test::TemporaryFolder outside;
  const std::string folder = (outside.path() / "my engines").string();
  write_engine(record());  // the bundle's own is not looked at
  settings_.engines = folder;
  EXPECT_EQ(thrown<BackendUnavailable>([&] { make(); }),
            folder + " has no engine of the image network" + command(" --cache"));
  write_engine(record(), "plan 2");
  EXPECT_EQ(make()->traits().largest_batch, 2);
  using std::filesystem::perms;
  std::filesystem::permissions(folder, perms::owner_all | perms::others_write);
  EXPECT_EQ(thrown<CacheError>([&] { make(); }),
            "engines in " + folder +
                " can be written by others, and an engine is executable content; run: chmod o-w " +
                folder + ", or set VOCABSEG_HOME to a folder of yours");
  std::filesystem::permissions(bundle_.folder() / "engines", perms::all);
  settings_.engines.clear();
  EXPECT_EQ(make()->traits().largest_batch, 4);
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

TEST_F(BuiltEngines, RecordsThatCannotBeReadCountAsAbsent) {
  const auto folder = bundle_.folder() / "engines";
  const auto expect = [&](const nlohmann::json& document, const std::string& problem) {
    test::write(folder / "image.json", document.dump());
    EXPECT_EQ(thrown<BackendUnavailable>([&] { make(); }),
              folder.string() + " has no engine of the image network (" +
                  (folder / "image.json").string() +
                  " is not a record that this vocabseg reads: " + problem + ")" + command());
  };
  write_engine(record());
  const auto with = [&](const char* name, const nlohmann::json& value) {
    nlohmann::json changed = record();
    changed[name] = value;
    return changed;
  };
  expect(with("schema_version", 2), "schema_version is 2, expected 1");
  expect({1, 2}, "schema_version is None, expected 1");
  nlohmann::json short_one = record();
  short_one.erase("key"), short_one.erase("parity");
  expect(short_one, "it lacks key, parity");
  expect(with("key", {{"schema", 9}}), "its key is not of schema 1");
  expect(with("plan", "../image.onnx"),
         "it names the plan '../image.onnx', which is not a file name");
  expect(with("parity", {{"passed", "yes"}}), "its parity is not a result");
  test::write(folder / "image.json", "{");
  EXPECT_NE(thrown<BackendUnavailable>([&] { make(); }).find(" (cannot read the engine's record "),
            std::string::npos);
  nlohmann::json whole = record();
  whole["plan"] = "whole.plan";
  write_engine(whole);
  make();
}

TEST_F(BuiltEngines, PlansThatAreCutOrAltered) {
  write_engine(record());
  const auto plan = bundle_.folder() / "engines" / "image.plan";
  test::write(plan, "plan 5");
  const std::string message = thrown<EngineError>([&] { make(); });
  EXPECT_EQ(
      message.find("engine " + plan.string() + " is damaged: got 6 bytes, expected 6 with sha256 "),
      0u)
      << message;
  EXPECT_NE(message.find(command(" --precision float32")), std::string::npos) << message;
  test::write(plan, "pla");
  EXPECT_NE(thrown<EngineError>([&] { make(); }).find("got 3 bytes, expected 6"),
            std::string::npos);
  std::filesystem::remove(plan);
  EXPECT_NE(thrown<EngineError>([&] { make(); }).find("cannot read engine " + plan.string()),
            std::string::npos);
}

}  // namespace
}  // namespace vocabseg
