#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace vocabseg {

enum class Level { kDebug, kInfo, kWarning, kError };

using LogCallback = std::function<void(Level, std::string_view)>;

// How the core runs. The core never prints: messages go to `log`, if there is one.
struct Settings {
  std::string backend = "auto";    // "auto" or an id of backends()
  int threads = 0;                 // 0: as many as the machine has
  std::string precision = "auto";  // "auto", "float32" or "bfloat16"
  LogCallback log;
};

}  // namespace vocabseg
