#include "tensorrt/engine_record.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "vocabseg/error.hpp"

namespace fs = std::filesystem;

namespace vocabseg {
namespace {

using nlohmann::json;

constexpr const char* kFolder = "engines";
constexpr int kSchema = 1, kKeySchema = 1;
constexpr const char* kFields[] = {"tower",      "key",      "digest",    "plan",    "plan_sha256",
                                   "plan_bytes", "inputs",   "outputs",   "rebuild", "build",
                                   "parity",     "degraded", "latency_ms"};

// A word as a POSIX shell takes it.
std::string quoted(const std::string& word) {
  const auto plain = [](unsigned char c) {
    return c < 128 && (std::isalnum(c) || std::strchr("@%+=:,./-_", c));
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\"'\"'" : std::string(1, c);
  return out + "'";
}

std::string shown(const json& value) {
  if (value.is_null()) return "None";
  return value.is_string() ? "'" + value.get<std::string>() + "'" : value.dump();
}

std::string missing_fields(const json& document) {
  std::string missing;
  for (const char* name : kFields) {
    if (!document.contains(name)) missing += (missing.empty() ? "" : ", ") + std::string(name);
  }
  return missing;
}

bool is_file_name(const json& value) {
  if (!value.is_string()) return false;
  const auto name = value.get<std::string>();
  return !name.empty() && fs::path(name).filename() == name && name != "." && name != "..";
}

// What is wrong with a record's content; "" if nothing.
std::string problem_of(const json& document) {
  const json version = document.is_object() ? document.value("schema_version", json()) : json();
  if (version != kSchema) {
    return "schema_version is " + shown(version) + ", expected " + std::to_string(kSchema);
  }
  const std::string missing = missing_fields(document);
  if (!missing.empty()) return "it lacks " + missing;
  const json &key = document["key"], &parity = document["parity"];
  if (!key.is_object() || key.value("schema", json()) != kKeySchema) {
    return "its key is not of schema " + std::to_string(kKeySchema);
  }
  if (!is_file_name(document["plan"])) {
    return "it names the plan " + shown(document["plan"]) + ", which is not a file name";
  }
  const bool result = parity.is_object() && parity.value("passed", json()).is_boolean();
  return parity.is_null() || result ? "" : "its parity is not a result";
}

EngineRecord parse(const json& document) {
  EngineRecord record;
  document.at("tower").get_to(record.tower);
  document.at("plan").get_to(record.plan);
  document.at("plan_sha256").get_to(record.sha256);
  document.at("plan_bytes").get_to(record.bytes);
  document.at("rebuild").get_to(record.rebuild);
  document.at("degraded").get_to(record.degraded);
  record.key = document.at("key");
  record.parity = document.at("parity");
  if (!document.at("latency_ms").is_null()) document.at("latency_ms").get_to(record.latency);
  return record;
}

void read(const fs::path& path, EngineRecords& records) {
  const std::string unread = path.string() + " is not a record that this vocabseg reads: ";
  json document;
  try {
    std::ifstream file(path, std::ios::binary);
    document = json::parse(file);
  } catch (const json::exception& error) {
    records.unreadable.push_back("cannot read the engine's record " + path.string() + ": " +
                                 error.what());
    return;
  }
  try {
    const std::string problem = problem_of(document);
    if (problem.empty()) return records.readable.push_back(parse(document));
    records.unreadable.push_back(unread + problem);
  } catch (const json::exception& error) {
    records.unreadable.push_back(unread + error.what());
  }
}

// An engine is executable content: nobody else may have written it.
void check_owner(const fs::path& folder) {
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return;
  if (status.st_uid == getuid() && (status.st_mode & S_IWOTH) == 0) return;
  throw CacheError("engines in " + folder.string() +
                   " can be written by others, and an engine is executable content; run: chmod "
                   "o-w " +
                   folder.string() + ", or set VOCABSEG_HOME to a folder of yours");
}

}  // namespace

EngineFolder::EngineFolder(const Bundle& bundle, const Settings& settings)
    : bundle_(bundle.folder().string()),
      path_(settings.engines.empty() ? bundle.folder() / kFolder : fs::path(settings.engines)),
      outside_(!settings.engines.empty()) {}

EngineRecords EngineFolder::records() const {
  if (outside_) check_owner(path_);
  std::vector<fs::path> paths;
  std::error_code error;  // no folder: no engines
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  EngineRecords records;
  for (const fs::path& path : paths) read(path, records);
  return records;
}

std::string EngineFolder::build_command(const std::vector<std::string>& options) const {
  std::string command = "vocabseg build " + quoted(bundle_) + " --engine tensorrt";
  for (const std::string& option : options) command += " " + quoted(option);
  return outside_ ? command + " --cache" : command;
}

}  // namespace vocabseg
