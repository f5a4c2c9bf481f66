// Engines that `vocabseg build` put into a bundle: BUNDLE/engines, a plan and a record each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "vocabseg/bundle.hpp"

namespace vocabseg {

// What an engine must have been built for.
struct EngineMachine {
  std::string tensorrt;            // "10.3.0"; a record's may say more
  std::string compute_capability;  // "8.7"
  std::string device;              // as the driver names it
  bool tegra = false;              // GPU and CPU share one memory
};

struct BuiltEngine {
  std::filesystem::path plan;
  std::string sha256, precision;
  std::string rebuild;  // the command that makes it again
};

// Whether this is a Jetson.
bool is_tegra();

// "vocabseg build BUNDLE --engine tensorrt"
std::string build_command(const Bundle& bundle);

// The fastest engine of a network ("image", "feedback", "text") whose key fits and whose results
// were checked. precision: "auto" takes any. Throws BackendUnavailable if none is built,
// EngineError if those that are do not fit (and names the fields) or failed their check; both name
// the command that builds one.
BuiltEngine find_engine(const Bundle& bundle, const std::string& tower,
                        const EngineMachine& machine, const std::string& precision);

// The serialised engine. Throws EngineError if the file is missing, cut or altered.
std::vector<char> read_plan(const BuiltEngine& engine);

}  // namespace vocabseg
