#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "cuda/cubin.hpp"
#include "sha256.hpp"
#include "vocabseg/error.hpp"

namespace fs = std::filesystem;

namespace vocabseg::cuda {
namespace {

using nlohmann::json;

constexpr int64_t kSchema = 1;
constexpr const char* kBuildAgain = "; build the set again: python -m vocabseg.kernels.aot";
constexpr int64_t kAny = std::numeric_limits<int64_t>::max();

[[noreturn]] void refuse(const std::string& what) { throw BundleError(what + kBuildAgain); }

int64_t integer(const json& node, const char* key, int64_t low, int64_t high) {
  const json& value = node.at(key);
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t{kAny});
  if (!fits || value.get<int64_t>() < low || value.get<int64_t>() > high) {
    refuse(std::string(key) + " is " + value.dump() + ", expected an integer from " +
           std::to_string(low) + (high == kAny ? "" : " to " + std::to_string(high)));
  }
  return value.get<int64_t>();
}

std::string text(const json& node, const char* key) {
  auto value = node.at(key).get<std::string>();
  if (value.empty()) refuse(std::string(key) + " is empty");
  return value;
}

const json& list(const json& node, const char* key) {
  const json& value = node.at(key);
  if (!value.is_array()) refuse(std::string(key) + " is not a list");
  return value;
}

Variant parse_variant(const json& node) {
  const auto constants = node.at("variant").get<std::map<std::string, json>>();
  Variant variant;
  for (const auto& [key, value] : constants)
    variant[key] = integer(node.at("variant"), key.c_str(), -kAny, kAny);
  return variant;
}

struct TypeRow {
  const char* name;
  ParameterType type;
  size_t size;
};
constexpr std::array<TypeRow, 4> kTypes = {{{"pointer", ParameterType::kPointer, 8},
                                            {"i32", ParameterType::kInt32, 4},
                                            {"i64", ParameterType::kInt64, 8},
                                            {"f32", ParameterType::kFloat32, 4}}};

Parameter parse_parameter(const json& node, size_t previous_end) {
  const auto name = text(node, "name");
  const auto type = text(node, "type");
  const auto* row = std::find_if(kTypes.begin(), kTypes.end(),
                                 [&](const TypeRow& each) { return type == each.name; });
  if (row == kTypes.end()) {
    refuse("argument " + name + " is of type \"" + type + "\", expected pointer, i32, i64 or f32");
  }
  const auto size = static_cast<int64_t>(row->size);
  integer(node, "size", size, size);
  const auto offset = static_cast<size_t>(
      integer(node, "offset", static_cast<int64_t>(previous_end), kMaxParameterBytes - size));
  if (offset % row->size != 0) {
    refuse("argument " + name + " is at offset " + std::to_string(offset) +
           ", expected a multiple of its size " + std::to_string(size));
  }
  const bool scratch = name == "global_scratch" || name == "profile_scratch";
  return {name, row->type, offset, row->size, integer(node, "divisible_by", 1, kAny), scratch};
}

std::vector<Parameter> parse_parameters(const json& node) {
  std::vector<Parameter> parameters;
  std::set<std::string> names;
  for (const json& each : node) {
    const size_t end = parameters.empty() ? 0 : parameters.back().offset + parameters.back().size;
    parameters.push_back(parse_parameter(each, end));
    if (!names.insert(parameters.back().name).second) {
      refuse("argument " + parameters.back().name + " is there twice");
    }
  }
  if (parameters.empty() || parameters.size() > kMaxParameters) {
    refuse("a kernel has " + std::to_string(parameters.size()) + " arguments, expected 1 to " +
           std::to_string(kMaxParameters));
  }
  return parameters;
}

GridFactor parse_factor(const json& node, const std::vector<Parameter>& parameters) {
  const auto name = text(node, "argument");
  const auto found = std::find_if(parameters.begin(), parameters.end(),
                                  [&](const Parameter& each) { return each.name == name; });
  if (found == parameters.end() ||
      (found->type != ParameterType::kInt32 && found->type != ParameterType::kInt64)) {
    refuse("the grid depends on \"" + name + "\", which is not an integer argument");
  }
  return {static_cast<size_t>(found - parameters.begin()), integer(node, "divisor", 1, kAny)};
}

std::vector<std::vector<GridFactor>> parse_grid(const json& node,
                                                const std::vector<Parameter>& parameters) {
  if (node.empty() || node.size() > 3) {
    refuse("grid is " + node.dump() + ", expected one to three dimensions");
  }
  std::vector<std::vector<GridFactor>> grid;
  for (const json& dimension : node) {
    if (!dimension.is_array()) refuse("a dimension of the grid is not a list of factors");
    grid.emplace_back();
    for (const json& factor : dimension) grid.back().push_back(parse_factor(factor, parameters));
  }
  return grid;
}

// A name inside the folder: never a path.
std::string parse_file(const json& node) {
  const auto name = text(node, "file");
  if (name == "." || name == ".." || name.find_first_of("/\\") != std::string::npos) {
    refuse("file is \"" + name + "\", expected a name without a path");
  }
  return name;
}

void check_extent(const fs::path& folder, const Cubin& cubin) {
  std::error_code error;
  const uintmax_t bytes = fs::file_size(folder / cubin.file, error);
  if (error) refuse("file \"" + cubin.file + "\" cannot be read: " + error.message());
  if (cubin.offset > bytes || cubin.size > bytes - cubin.offset) {
    refuse("file \"" + cubin.file + "\" has " + std::to_string(bytes) + " bytes, expected " +
           std::to_string(cubin.size) + " at " + std::to_string(cubin.offset));
  }
}

Cubin parse_cubin(const json& node) {
  Cubin cubin;
  cubin.info.kernel = text(node, "kernel");
  cubin.info.dtype = text(node, "dtype");
  cubin.info.variant = parse_variant(node);
  cubin.info.arch = static_cast<int>(integer(node, "arch", 10, 999));
  cubin.info.exact_arch = node.at("exact_arch").get<bool>();
  cubin.file = parse_file(node);
  cubin.offset = static_cast<uint64_t>(integer(node, "offset", 0, kAny));
  cubin.size = static_cast<uint64_t>(integer(node, "size", 1, kAny));
  cubin.sha256 = text(node, "sha256");
  cubin.symbol = text(node, "symbol");
  cubin.warps = static_cast<unsigned>(integer(node, "warps", 1, 32));
  cubin.shared_bytes = static_cast<unsigned>(integer(node, "shared_bytes", 0, 1 << 20));
  // Scratch memory would have to be allocated for each launch; no kernel here uses it.
  integer(node, "global_scratch_bytes", 0, 0);
  integer(node, "profile_scratch_bytes", 0, 0);
  cubin.parameters = parse_parameters(list(node, "arguments"));
  cubin.grid = parse_grid(list(node, "grid"), cubin.parameters);
  return cubin;
}

std::vector<Cubin> parse(const fs::path& folder, const std::string& manifest) {
  const json root = json::parse(manifest);
  integer(root, "schema", kSchema, kSchema);
  std::vector<Cubin> cubins;
  std::set<std::tuple<std::string, std::string, Variant, int, bool>> seen;
  for (const json& node : list(root, "kernels")) {
    const Cubin& cubin = cubins.emplace_back(parse_cubin(node));
    check_extent(folder, cubin);
    const CubinInfo& info = cubin.info;
    if (!seen.emplace(info.kernel, info.dtype, info.variant, info.arch, info.exact_arch).second) {
      refuse(cubin.name() + " for sm_" + std::to_string(info.arch) + " is there twice");
    }
  }
  if (cubins.empty()) refuse("it lists no kernels");
  return cubins;
}

}  // namespace

std::vector<Cubin> read_manifest(const fs::path& folder) {
  const fs::path path = folder / "manifest.json";
  std::ifstream file(path, std::ios::binary);
  if (!file) refuse("there is no set of cubins in " + folder.string() + ": no manifest.json");
  const std::string manifest{std::istreambuf_iterator<char>(file), {}};
  try {
    return parse(folder, manifest);
  } catch (const json::exception& error) {
    refuse(path.string() + " is not a manifest of cubins: " + error.what());
  } catch (const BundleError& error) {
    throw BundleError(path.string() + ": " + error.what());
  }
}

std::vector<char> read_cubin(const fs::path& folder, const Cubin& cubin) {
  std::vector<char> bytes(cubin.size);
  std::ifstream file(folder / cubin.file, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(cubin.offset));
  if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
    refuse("cannot read " + cubin.name() + " from " + (folder / cubin.file).string());
  }
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  const std::string actual = hash.hex_digest();
  if (actual != cubin.sha256) {
    refuse((folder / cubin.file).string() + " is altered: the sha256 of " + cubin.name() + " is " +
           actual + ", the manifest says " + cubin.sha256);
  }
  return bytes;
}

}  // namespace vocabseg::cuda
