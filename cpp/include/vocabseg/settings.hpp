#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace vocabseg {

enum class Level { kDebug, kInfo, kWarning, kError };

using LogCallback = std::function<void(Level, std::string_view)>;

// How the core runs. The core never prints: messages go to `log`, if there is one.
struct Settings {
  std::string backend = "auto";  // "auto" or an id of backends()
  int threads = 0;               // 0: as many as the machine has
  // "auto", "float32" or "bfloat16"; with engines of TensorRT "float16" and "int8" too
  std::string precision = "auto";
  // Folder of a set of cubins. With it the backend tensorrt runs whole frames on the GPU, where the
  // method's steps have a GPU version; else its networks alone.
  std::string cubins;
  // Folder of TensorRT engines; "": the bundle's own, BUNDLE/engines. An engine is executable
  // content: another folder must belong to this user, and nobody else may write to it.
  std::string engines;
  // Where the GPU has too little memory for a run, the backend tensorrt takes half as many windows
  // at a time from then on, says so in the log, and tries again; else it throws OutOfMemory.
  bool allow_smaller_batch = false;
  LogCallback log;
};

}  // namespace vocabseg
