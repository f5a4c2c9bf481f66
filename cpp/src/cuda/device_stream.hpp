// A stream of a device, and what is queued on it. Calls, constructors apart, need the device's
// primary context to be current. Throws EngineError if the driver fails.
#pragma once

#include <functional>

#include "cuda/device_memory.hpp"
#include "vocabseg/engine.hpp"

namespace vocabseg::cuda {

// Rows of bytes in device or host memory.
struct Rows {
  const void* data = nullptr;
  Memory memory = Memory::kHost;
  int64_t pitch = 0;  // bytes from row to row
};

class Graph {
 public:
  explicit operator bool() const { return static_cast<bool>(exec_); }

 private:
  friend class DeviceStream;
  Owned<GraphExec> exec_;
};

class Event {
 public:
  explicit Event(const SharedGpu& gpu);

  // Milliseconds from `begin` to this event; both must have happened.
  float since(const Event& begin) const;

 private:
  friend class DeviceStream;
  SharedGpu gpu_;
  Owned<EventHandle> event_;
};

class DeviceStream {
 public:
  explicit DeviceStream(const SharedGpu& gpu);

  StreamHandle handle() const { return stream_.get(); }

  void upload(void* to, const void* from, size_t bytes) const;  // to device memory
  // Allocates what is missing, and waits for the copy.
  template <class T>
  void fill(DeviceBuffer& to, const std::vector<T>& values) const {
    to.reserve(values.size() * sizeof(T));
    upload(to.data(), values.data(), values.size() * sizeof(T));
    try {
      synchronize();
    } catch (...) {
      settle();  // the copy may still read the values
      throw;
    }
  }
  void download(void* to, const std::byte* from, size_t bytes) const;  // from device memory
  // `height` rows of `width` bytes, to device memory.
  void copy_rows(std::byte* to, int64_t to_pitch, const Rows& from, int64_t width,
                 int64_t height) const;
  // In a capture the event becomes a node of the graph, recorded anew by every launch.
  void record(const Event& event) const;
  // What is queued from now on waits for what another stream has queued; `event` marks that.
  void wait_for(StreamHandle other, const Event& event) const;
  // Waits until all that is queued is done.
  void synchronize() const;
  // The same where an error is on its way already.
  void settle() const noexcept;

  // What `queue` queues, as a graph, which does not run yet. An empty one if something in it cannot
  // be captured; the stream is as before then.
  Graph capture(const std::function<void()>& queue) const;
  void launch(const Graph& graph) const;

 private:
  SharedGpu gpu_;
  Owned<StreamHandle> stream_;
  mutable bool captures_ = false;
};

}  // namespace vocabseg::cuda
