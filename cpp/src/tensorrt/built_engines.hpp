// Which engine of those that `vocabseg build` made runs here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "vocabseg/bundle.hpp"
#include "vocabseg/settings.hpp"

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
  int64_t bytes = 0;  // of the plan
  std::string sha256, precision;
  std::string rebuild;  // the command that makes it again
};

// Whether this is a Jetson.
bool is_tegra();

// The fastest engine of a network ("image", "feedback", "text") whose key fits and whose results
// were checked, from the bundle's own folder or settings.engines; settings.precision "auto" takes
// any. Throws BackendUnavailable if none is built, EngineMismatch if those that are do not fit (and
// names the fields), ParityError if the one that fits failed its check or had none, CacheError as
// EngineFolder::records. Each names the command that builds one.
BuiltEngine find_engine(const Bundle& bundle, const std::string& tower,
                        const EngineMachine& machine, const Settings& settings);

// The serialised engine. Throws EngineError if the file is missing, cut or altered.
std::vector<char> read_plan(const BuiltEngine& engine);

}  // namespace vocabseg
