// Engines run networks. The rest of the core knows only this interface.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "vocabseg/bundle.hpp"
#include "vocabseg/settings.hpp"

namespace vocabseg {

enum class DType { kFloat32, kInt64 };

enum class Memory { kHost, kDevice };

// Row-major memory that the caller owns. On a device it starts at a multiple of 256 bytes.
struct TensorView {
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;
  void* data = nullptr;
  Memory memory = Memory::kHost;
};

using TensorMap = std::map<std::string, TensorView>;

// A queue of device work; engines that have none take a null one.
struct Stream {
  void* handle = nullptr;  // a CUstream, which is a cudaStream_t too
};

// What an engine can do beyond running on host memory.
struct EngineTraits {
  // Takes views of device memory, all of a run's; what they need is then queued on the stream, and
  // run() does not wait for it.
  bool device_memory = false;
  bool capturable = false;    // such a run may be captured in a CUDA graph after one that was not
  int64_t largest_batch = 0;  // of a run's first dimension; 0: any. May fall with OutOfMemory
};

// A compiled network with named tensors. run() may be called from several threads.
class Engine {
 public:
  virtual ~Engine() = default;

  // Reads the inputs and writes the outputs in place; inputs are not changed. Throws EngineError if
  // names, types or shapes are not those of the network, or the network fails; OutOfMemory where a
  // run of fewer rows may fit: traits().largest_batch is smaller then, if that is allowed.
  virtual void run(const TensorMap& inputs, const TensorMap& outputs, Stream* stream) = 0;

  // Backend and precision, such as "openvino/bfloat16".
  virtual std::string id() const = 0;

  virtual EngineTraits traits() const { return {}; }

  // A number that changes when runs that were captured before must not be replayed any more.
  virtual uint64_t state() const { return 0; }
};

struct BackendInfo {
  std::string id;
  bool available;
  std::string reason;  // what it runs on, or why it cannot
};

// Every backend that this version knows, best first. "tensorrt" runs only engines that
// `vocabseg build` made.
std::vector<BackendInfo> backends();

// The backend that "auto" or a name stands for, and why; "auto" is the first that compiles networks
// itself. Throws BackendUnavailable if it cannot run here: a named backend is never replaced by
// another.
BackendInfo choose_backend(const std::string& name);

// The same for one of a bundle's networks, "image", "feedback" or "text": "auto" takes TensorRT
// where an engine of it is built for this machine. Throws EngineMismatch or ParityError too, where
// TensorRT is asked for by name and its engines do not fit or failed their check, and CacheError
// where others can write to settings.engines.
BackendInfo choose_backend(const Bundle& bundle, const std::string& tower,
                           const Settings& settings);

// Compiles an ONNX network with settings.threads and settings.precision, by settings.backend if
// that compiles networks. Throws BackendUnavailable, or EngineError if the network does not
// compile.
std::unique_ptr<Engine> make_engine(const std::filesystem::path& onnx, const Settings& settings);

// One of a bundle's networks, by the backend that choose_backend says. Throws as that, and
// EngineError.
std::unique_ptr<Engine> make_engine(const Bundle& bundle, const std::string& tower,
                                    const Settings& settings);

}  // namespace vocabseg
