// The file beside a built engine, and the folder of both. The rules are those of
// vocabseg/tensorrt/record.py, store.py and select.py; tests/test_core_engines.py compares them.
#pragma once

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "vocabseg/bundle.hpp"
#include "vocabseg/settings.hpp"

namespace vocabseg {

// One built network. `key` says what it was built from and for, `parity` what its check found: null
// until it ran.
struct EngineRecord {
  std::string tower, plan, sha256;
  int64_t bytes = 0;
  nlohmann::json key, parity;
  std::vector<std::string> rebuild;  // options of the command that makes it again
  bool degraded = false;             // the user accepted a failed check
  double latency = std::numeric_limits<double>::infinity();  // milliseconds of the best batch

  bool checked() const { return !parity.is_null() && parity.at("passed").get<bool>(); }
  // A field of the key, null where there is none.
  nlohmann::json field(const char* name) const { return key.value(name, nlohmann::json()); }
};

struct EngineRecords {
  std::vector<EngineRecord> readable;   // by file name
  std::vector<std::string> unreadable;  // what is wrong with each of the others
};

// Where a bundle's engines are: its own folder, or settings.engines.
class EngineFolder {
 public:
  EngineFolder(const Bundle& bundle, const Settings& settings);

  // Throws CacheError where others can write to a folder outside the bundle.
  EngineRecords records() const;

  const std::filesystem::path& path() const { return path_; }
  // "vocabseg build BUNDLE --engine tensorrt", options, and --cache for engines outside the bundle.
  std::string build_command(const std::vector<std::string>& options = {}) const;

 private:
  std::string bundle_;
  std::filesystem::path path_;
  bool outside_;
};

}  // namespace vocabseg
