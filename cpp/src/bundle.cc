#include "vocabseg/bundle.hpp"

#include <fstream>
#include <iterator>
#include <utility>

#include "manifest.hpp"
#include "sha256.hpp"
#include "vocabseg/error.hpp"

namespace fs = std::filesystem;

namespace vocabseg {
namespace {

constexpr const char* kManifest = "manifest.json";
constexpr const char* kExportAgain = "; copy the bundle again or run `vocabseg export`";

fs::path existing_folder(const fs::path& folder) {
  std::error_code error;
  const fs::path resolved = fs::canonical(folder, error);
  if (error || !fs::is_directory(resolved)) {
    throw BundleError("bundle " + folder.string() +
                      " is not a folder; `vocabseg export` makes one");
  }
  return resolved;
}

// The file behind a relative name, symbolic links resolved; it must lie in the folder.
fs::path resolve(const fs::path& folder, const std::string& name) {
  const fs::path relative(name);
  if (name.empty() || relative.is_absolute()) {
    throw BundleError("bundle " + folder.string() + ": path \"" + name + "\" is not relative");
  }
  std::error_code error;
  const fs::path resolved = fs::canonical(folder / relative, error);
  if (error || !fs::is_regular_file(resolved)) {
    throw BundleError("bundle " + folder.string() + ": file \"" + name + "\" is missing" +
                      kExportAgain);
  }
  const fs::path inside = resolved.lexically_relative(folder);
  if (inside.empty() || *inside.begin() == "..") {
    throw BundleError("bundle " + folder.string() + ": path \"" + name + "\" leaves the folder");
  }
  return resolved;
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw BundleError("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

void check_hash(const fs::path& path, const std::string& name, const std::string& expected) {
  const std::string actual = sha256_of_file(path);
  if (actual != expected) {
    throw BundleError("bundle file \"" + name + "\" is altered: its sha256 is " + actual +
                      ", the manifest says " + expected + kExportAgain);
  }
}

}  // namespace

Bundle::Bundle(fs::path folder, std::string json)
    : folder_(std::move(folder)), json_(std::move(json)), manifest_(parse_manifest(json_)) {}

Bundle Bundle::open(const fs::path& folder) {
  const fs::path resolved = existing_folder(folder);
  Bundle bundle(resolved, read_text(resolve(resolved, kManifest)));
  const Manifest& manifest = bundle.manifest_;
  for (const auto& [name, hash] : manifest.sha256) check_hash(resolve(resolved, name), name, hash);
  // Every file that is named must be listed, and so verified.
  const auto check_listed = [&](const EncoderSpec& encoder) {
    for (const auto& [precision, name] : encoder.variants) bundle.file(name);
  };
  check_listed(manifest.image_encoder);
  if (manifest.feedback_encoder) check_listed(*manifest.feedback_encoder);
  if (manifest.text_encoder) check_listed(*manifest.text_encoder);
  if (manifest.tokenizer) bundle.file(manifest.tokenizer->merges);
  for (const auto& [key, name] : manifest.vocabularies) bundle.file(name);
  return bundle;
}

fs::path Bundle::file(const std::string& name) const {
  if (!manifest_.sha256.count(name)) {
    throw BundleError("bundle " + folder_.string() + ": file \"" + name +
                      "\" is not listed in the manifest");
  }
  return resolve(folder_, name);
}

}  // namespace vocabseg
