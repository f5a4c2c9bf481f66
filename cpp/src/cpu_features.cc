#include "cpu_features.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

namespace vocabseg {
namespace {

constexpr const char* kOfInterest[] = {
    "sse4_2",      "avx",         "avx2",        "fma",      "f16c",     "avx512f",  "avx512bw",
    "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "asimd",
    "asimdhp",     "asimddp",     "bf16",        "i8mm",     "sve",      "sve2"};

}  // namespace

std::vector<std::string> cpu_features() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    const std::vector<std::string> flags{std::istream_iterator<std::string>(words), {}};
    std::vector<std::string> found;
    for (const char* name : kOfInterest) {
      if (std::find(flags.begin(), flags.end(), name) != flags.end()) found.emplace_back(name);
    }
    return found;
  }
  return {};
}

}  // namespace vocabseg
