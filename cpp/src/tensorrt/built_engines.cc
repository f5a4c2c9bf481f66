#include "tensorrt/built_engines.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <tuple>

#include "sha256.hpp"
#include "tensorrt/engine_record.hpp"
#include "vocabseg/error.hpp"

namespace fs = std::filesystem;

namespace vocabseg {
namespace {

using nlohmann::json;

constexpr size_t kHash = 64, kShownOfHash = 12;  // characters

const EncoderSpec* encoder_of(const Manifest& manifest, const std::string& tower) {
  if (tower == "image") return &manifest.image_encoder;
  const auto& encoder = tower == "text" ? manifest.text_encoder : manifest.feedback_encoder;
  return encoder ? &*encoder : nullptr;
}

// Of the graph, and of the weights beside it where there are any.
std::string graph_hash(const Manifest& manifest, const EngineRecord& record) {
  const EncoderSpec* encoder = encoder_of(manifest, record.tower);
  const json precision = record.field("precision");
  if (!encoder || !precision.is_string() || !encoder->variants.count(precision)) {
    return "no graph of that precision in the bundle";
  }
  const std::string& name = encoder->variants.at(precision);
  const auto data = manifest.sha256.find(name + ".data");
  return manifest.sha256.at(name) + (data == manifest.sha256.end() ? "" : "+" + data->second);
}

std::string shown(const json& value) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  return text.size() < kHash ? text : text.substr(0, kShownOfHash) + "…";
}

// A record names the build of TensorRT too: "10.3.0.26" fits "10.3.0".
bool same_version(const json& built, const std::string& here) {
  if (!built.is_string()) return false;
  const auto text = built.get<std::string>();
  return text == here || text.rfind(here + ".", 0) == 0;
}

// The fields in which an engine differs from what is asked for.
std::vector<std::string> mismatch(const Bundle& bundle, const EngineRecord& record,
                                  const EngineMachine& machine) {
  std::vector<std::string> out;
  const auto expect = [&](const char* name, const json& want) {
    const json built = record.field(name);
    const bool version = std::string(name) == "tensorrt";
    if (version ? same_version(built, machine.tensorrt) : built == want) return;
    out.push_back(std::string(name) + " is " + shown(built) + ", expected " + shown(want));
  };
  expect("onnx_sha256", graph_hash(bundle.manifest(), record));
  expect("tensorrt", machine.tensorrt);
  expect("compute_capability", machine.compute_capability);
  expect("device", machine.device);
  expect("tegra", machine.tegra);
  return out;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "; ") + part;
  return out;
}

// Engines of a network in a precision, or in any. Throws BackendUnavailable if there is none.
std::vector<EngineRecord> engines_of(const EngineFolder& folder, const std::string& tower,
                                     const std::string& precision) {
  const bool any = precision == "auto";
  EngineRecords found = folder.records();
  std::vector<EngineRecord>& all = found.readable;
  const auto other = [&](const EngineRecord& each) {
    return each.tower != tower || (!any && each.field("precision") != precision);
  };
  all.erase(std::remove_if(all.begin(), all.end(), other), all.end());
  if (!all.empty()) return all;
  std::string broken;
  for (const std::string& problem : found.unreadable) broken += " (" + problem + ")";
  const std::vector<std::string> options =
      any ? std::vector<std::string>{} : std::vector<std::string>{"--precision", precision};
  throw BackendUnavailable(folder.path().string() + " has no" + (any ? "" : " " + precision) +
                           " engine of the " + tower + " network" + broken +
                           "; run: " + folder.build_command(options));
}

// What no check passed. Throws ParityError.
[[noreturn]] void refuse(const EngineFolder& folder, const EngineRecord& record) {
  const std::string engine = "engine " + (folder.path() / record.plan).string();
  const std::string rebuild = folder.build_command(record.rebuild);
  if (record.parity.is_null()) throw ParityError(engine + " was never checked; run: " + rebuild);
  const auto failures = record.parity.value("failures", std::vector<std::string>{});
  throw ParityError(engine + " failed its parity gate (" + joined(failures) +
                    "); build another --precision, or accept it with: " + rebuild +
                    " --allow-degraded");
}

// The records that fit. Throws EngineMismatch, about the one that differs least, if that is none.
std::vector<EngineRecord> fitting(const EngineFolder& folder, std::vector<EngineRecord> records,
                                  const Bundle& bundle, const EngineMachine& machine) {
  std::vector<EngineRecord> fit;
  std::vector<std::string> least;
  const EngineRecord* nearest = nullptr;
  for (const EngineRecord& record : records) {
    std::vector<std::string> problems = mismatch(bundle, record, machine);
    if (problems.empty()) {
      fit.push_back(record);
    } else if (!nearest || problems.size() < least.size()) {
      nearest = &record, least = std::move(problems);
    }
  }
  if (!fit.empty()) return fit;
  throw EngineMismatch("engine " + (folder.path() / nearest->plan).string() + " does not fit: " +
                       joined(least) + "; run: " + folder.build_command(nearest->rebuild));
}

}  // namespace

bool is_tegra() {
  if (fs::is_regular_file("/etc/nv_tegra_release")) return true;
  std::ifstream file("/proc/device-tree/compatible", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.find("tegra") != std::string::npos;
}

BuiltEngine find_engine(const Bundle& bundle, const std::string& tower,
                        const EngineMachine& machine, const Settings& settings) {
  const EngineFolder folder(bundle, settings);
  const std::vector<EngineRecord> fit =
      fitting(folder, engines_of(folder, tower, settings.precision), bundle, machine);
  std::vector<EngineRecord> usable;
  std::copy_if(fit.begin(), fit.end(), std::back_inserter(usable),
               [](const EngineRecord& each) { return each.checked() || each.degraded; });
  if (usable.empty()) refuse(folder, fit.front());
  const auto better = [](const EngineRecord& a, const EngineRecord& b) {
    return std::tuple(!a.checked(), a.latency) < std::tuple(!b.checked(), b.latency);
  };
  const EngineRecord& best = *std::min_element(usable.begin(), usable.end(), better);
  return {folder.path() / best.plan, best.bytes, best.sha256, best.field("precision"),
          folder.build_command(best.rebuild)};
}

std::vector<char> read_plan(const BuiltEngine& engine) {
  std::error_code error;
  const uintmax_t size = fs::file_size(engine.plan, error);
  if (error) {
    throw EngineError("cannot read engine " + engine.plan.string() + ": " + error.message() +
                      "; run: " + engine.rebuild);
  }
  std::vector<char> bytes(size);
  std::ifstream(engine.plan, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  if (hash.hex_digest() != engine.sha256) {
    throw EngineError("engine " + engine.plan.string() + " is damaged: got " +
                      std::to_string(bytes.size()) + " bytes, expected " +
                      std::to_string(engine.bytes) + " with sha256 " +
                      engine.sha256.substr(0, kShownOfHash) + "…; run: " + engine.rebuild);
  }
  return bytes;
}

}  // namespace vocabseg
