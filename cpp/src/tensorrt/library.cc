#include "tensorrt/library.hpp"

#include <dlfcn.h>

#include <filesystem>

#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

// Where the code of this function is.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || !info.dli_fname) return {};
  return std::filesystem::path(info.dli_fname).parent_path();
}

// Never unmapped: TensorRT has threads and plugins of its own.
void* open(const std::string& path) { return dlopen(path.c_str(), RTLD_NOW | RTLD_NODELETE); }

void* open_beside_or_by_name(const std::string& name) {
  const std::filesystem::path beside = own_folder() / name;
  std::error_code error;
  const bool there = name.find('/') == std::string::npos && std::filesystem::exists(beside, error);
  return open(there ? beside.string() : name);
}

// The dynamic linker's reason begins with the file that it could not load.
std::string advice(const std::string& name, const std::string& reason) {
  const std::string file = reason.substr(0, reason.find(':'));
  const bool is_dependency = file.find(name) == std::string::npos && file.find(".so") < file.size();
  return is_dependency ? "; install " + file + ", which " + name + " was built with"
                       : "; build it with -DVOCABSEG_TENSORRT=ON where TensorRT is installed, "
                         "see docs/cpp.md";
}

}  // namespace

TensorRtLibrary::TensorRtLibrary(const std::string& name) {
  void* handle = open_beside_or_by_name(name);
  if (!handle) {
    const char* error = dlerror();
    const std::string reason = error ? error : "no reason given";
    throw BackendUnavailable(name + " cannot be opened: " + reason + advice(name, reason));
  }
  handle_ = {handle, dlclose};
  const auto entry =
      reinterpret_cast<vocabseg_tensorrt_entry>(dlsym(handle, VOCABSEG_TENSORRT_ENTRY));
  if (entry) api_ = entry();
  if (!api_ || api_->abi != VOCABSEG_TENSORRT_ABI) {
    const std::string got = api_ ? "version " + std::to_string(api_->abi) : "no version";
    throw BackendUnavailable(name + " has " + got + " of its interface, expected version " +
                             std::to_string(VOCABSEG_TENSORRT_ABI) +
                             "; build it from the sources of this vocabseg");
  }
}

std::string TensorRtLibrary::version() const {
  const int32_t number = api_->version();
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
         std::to_string(number % 100);
}

}  // namespace vocabseg
