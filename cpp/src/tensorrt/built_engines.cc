#include "tensorrt/built_engines.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "sha256.hpp"
#include "vocabseg/error.hpp"

namespace fs = std::filesystem;

namespace vocabseg {
namespace {

using nlohmann::json;

constexpr const char* kFolder = "engines";
constexpr int kSchema = 1;

struct Candidate {
  BuiltEngine engine;
  std::string problems;
  bool passed = false, degraded = false;
  double latency = std::numeric_limits<double>::infinity();

  // Passed its check first, then the fastest.
  bool operator<(const Candidate& other) const {
    return passed != other.passed ? passed : latency < other.latency;
  }
};

const EncoderSpec* encoder_of(const Manifest& manifest, const std::string& tower) {
  if (tower == "image") return &manifest.image_encoder;
  const auto& encoder = tower == "text" ? manifest.text_encoder : manifest.feedback_encoder;
  return encoder ? &*encoder : nullptr;
}

// Of the graph, and of the weights beside it where there are any.
std::string graph_hash(const Manifest& manifest, const std::string& tower,
                       const std::string& precision) {
  const EncoderSpec* encoder = encoder_of(manifest, tower);
  if (!encoder || !encoder->variants.count(precision))
    return "a graph that the bundle does not have";
  const std::string& name = encoder->variants.at(precision);
  const auto data = manifest.sha256.find(name + ".data");
  return manifest.sha256.at(name) + (data == manifest.sha256.end() ? "" : "+" + data->second);
}

// A record may name the patch and build of TensorRT too: "10.3.0" fits "10.3.0.26".
bool same_version(const std::string& built, const std::string& here) {
  return built.rfind(here, 0) == 0 && (built.size() == here.size() || built[here.size()] == '.');
}

std::string problems_of(const json& key, const Bundle& bundle, const std::string& tower,
                        const EngineMachine& machine) {
  std::string out;
  const auto differs = [&](const char* name, const std::string& got, const std::string& want) {
    out += (out.empty() ? "" : "; ") + std::string(name) + " is " + got.substr(0, 64) +
           ", expected " + want.substr(0, 64);
  };
  const auto text = [&](const char* name) { return key.at(name).get<std::string>(); };
  const auto expect = [&](const char* name, const std::string& want) {
    if (text(name) != want) differs(name, text(name), want);
  };
  expect("onnx_sha256", graph_hash(bundle.manifest(), tower, text("precision")));
  if (!same_version(text("tensorrt"), machine.tensorrt)) {
    differs("tensorrt", text("tensorrt"), machine.tensorrt);
  }
  expect("compute_capability", machine.compute_capability);
  expect("device", machine.device);
  if (key.at("tegra").get<bool>() != machine.tegra) {
    differs("tegra", machine.tegra ? "false" : "true", machine.tegra ? "true" : "false");
  }
  return out;
}

std::string file_name(const json& record, const char* key) {
  auto name = record.at(key).get<std::string>();
  if (name.empty() || fs::path(name).filename() != name || name == "." || name == "..") {
    throw EngineError("it names \"" + name + "\", which is not a file name");
  }
  return name;
}

Candidate parse(const json& record, const Bundle& bundle, const std::string& tower,
                const EngineMachine& machine) {
  Candidate candidate;
  const json& key = record.at("key");
  candidate.engine.plan = bundle.folder() / kFolder / file_name(record, "plan");
  candidate.engine.sha256 = record.at("plan_sha256").get<std::string>();
  candidate.engine.precision = key.at("precision").get<std::string>();
  candidate.engine.rebuild = build_command(bundle);
  for (const json& word : record.at("rebuild")) {
    candidate.engine.rebuild += " " + word.get<std::string>();
  }
  candidate.problems = problems_of(key, bundle, tower, machine);
  const json& parity = record.at("parity");
  candidate.passed = !parity.is_null() && parity.at("passed").get<bool>();
  candidate.degraded = record.at("degraded").get<bool>();
  if (!record.at("latency_ms").is_null()) candidate.latency = record.at("latency_ms").get<double>();
  return candidate;
}

// The record's engine, if it is of this network and precision.
std::optional<Candidate> read(const fs::path& path, const Bundle& bundle, const std::string& tower,
                              const EngineMachine& machine, const std::string& precision) {
  std::ifstream file(path, std::ios::binary);
  try {
    const json record = json::parse(file);
    if (record.at("schema_version") != kSchema) {
      throw EngineError("schema_version is " + record.at("schema_version").dump() + ", expected " +
                        std::to_string(kSchema));
    }
    if (record.at("tower") != tower) return std::nullopt;
    if (precision != "auto" && record.at("key").at("precision") != precision) return std::nullopt;
    return parse(record, bundle, tower, machine);
  } catch (const json::exception& error) {
    throw EngineError(path.string() + " is not a record of an engine: " + error.what() +
                      "; delete it, and run: " + build_command(bundle));
  } catch (const EngineError& error) {
    throw EngineError(path.string() + ": " + error.what() +
                      "; delete it, and run: " + build_command(bundle));
  }
}

std::vector<fs::path> records_of(const Bundle& bundle) {
  std::vector<fs::path> paths;
  std::error_code error;  // no folder: no engines
  for (const auto& entry : fs::directory_iterator(bundle.folder() / kFolder, error)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

bool is_tegra() {
  if (fs::is_regular_file("/etc/nv_tegra_release")) return true;
  std::ifstream file("/proc/device-tree/compatible", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.find("tegra") != std::string::npos;
}

std::string build_command(const Bundle& bundle) {
  return "vocabseg build " + bundle.folder().string() + " --engine tensorrt";
}

BuiltEngine find_engine(const Bundle& bundle, const std::string& tower,
                        const EngineMachine& machine, const std::string& precision) {
  std::vector<Candidate> usable;
  std::string reasons;
  for (const fs::path& path : records_of(bundle)) {
    const auto found = read(path, bundle, tower, machine, precision);
    if (!found) continue;
    std::string problem = found->problems;
    if (problem.empty() && !found->passed && !found->degraded) {
      problem = "its results failed their check, or had none (--allow-degraded accepts it)";
    }
    if (problem.empty()) usable.push_back(*found);
    reasons += found->engine.plan.string() + " does not fit: " + problem +
               "; run: " + found->engine.rebuild + "\n";
  }
  if (!usable.empty()) return std::min_element(usable.begin(), usable.end())->engine;
  if (!reasons.empty()) throw EngineError(reasons.substr(0, reasons.size() - 1));
  throw BackendUnavailable((bundle.folder() / kFolder).string() + " has no engine of the " + tower +
                           " network" + (precision == "auto" ? "" : " in " + precision) +
                           "; run: " + build_command(bundle) +
                           (precision == "auto" ? "" : " --precision " + precision));
}

std::vector<char> read_plan(const BuiltEngine& engine) {
  std::error_code error;
  const uintmax_t size = fs::file_size(engine.plan, error);
  std::vector<char> bytes(error ? 0 : size);
  std::ifstream(engine.plan, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  if (error || hash.hex_digest() != engine.sha256) {
    throw EngineError("engine " + engine.plan.string() + " is missing or damaged: got " +
                      std::to_string(bytes.size()) + " bytes, expected those with sha256 " +
                      engine.sha256 + "; run: " + engine.rebuild);
  }
  return bytes;
}

}  // namespace vocabseg
