#include "cuda/device_stream.hpp"

#include "vocabseg/error.hpp"

namespace vocabseg::cuda {
namespace {

// Of enums CUstream_flags, CUevent_record_flags, CUstreamCaptureMode and CUresult in cuda.h.
constexpr unsigned kNonBlocking = 1;
constexpr unsigned kRecord = 0, kRecordExternal = 1;  // the latter in a capture only
constexpr int kThreadLocal = 1;
constexpr Result kFirstCaptureError = 900, kLastCaptureError = 908;

}  // namespace

Event::Event(const SharedGpu& gpu) : gpu_(gpu) {
  const CurrentContext current(*gpu);
  EventHandle event = nullptr;
  gpu->check(gpu->driver().event_create(&event, 0), "cuEventCreate");
  event_ = {gpu, event, &Driver::event_destroy};
}

float Event::since(const Event& begin) const {
  float milliseconds = 0;
  gpu_->check(gpu_->driver().event_elapsed(&milliseconds, begin.event_.get(), event_.get()),
              "cuEventElapsedTime");
  return milliseconds;
}

DeviceStream::DeviceStream(const SharedGpu& gpu) : gpu_(gpu) {
  const CurrentContext current(*gpu);
  StreamHandle stream = nullptr;
  gpu->check(gpu->driver().stream_create(&stream, kNonBlocking), "cuStreamCreate");
  stream_ = {gpu, stream, &Driver::stream_destroy};
}

void DeviceStream::upload(void* to, const void* from, size_t bytes) const {
  gpu_->check(gpu_->driver().copy_up(reinterpret_cast<Address>(to), from, bytes, handle()),
              "cuMemcpyHtoDAsync");
}

void DeviceStream::download(void* to, const std::byte* from, size_t bytes) const {
  gpu_->check(gpu_->driver().copy_down(to, reinterpret_cast<Address>(from), bytes, handle()),
              "cuMemcpyDtoHAsync");
}

void DeviceStream::copy_rows(std::byte* to, int64_t to_pitch, const Rows& from, int64_t width,
                             int64_t height) const {
  Copy2D copy;
  copy.from.pitch = static_cast<size_t>(from.pitch);
  if (from.memory == Memory::kHost) {
    copy.from.type = Copy2D::kHost;
    copy.from.host = from.data;
  } else {
    copy.from.device = reinterpret_cast<Address>(from.data);
  }
  copy.to.device = reinterpret_cast<Address>(to);
  copy.to.pitch = static_cast<size_t>(to_pitch);
  copy.width = static_cast<size_t>(width);
  copy.height = static_cast<size_t>(height);
  gpu_->check(gpu_->driver().copy_2d(&copy, handle()), "cuMemcpy2DAsync");
}

void DeviceStream::record(const Event& event) const {
  const unsigned flags = captures_ ? kRecordExternal : kRecord;
  gpu_->check(gpu_->driver().event_record(event.event_.get(), handle(), flags),
              "cuEventRecordWithFlags");
}

void DeviceStream::wait_for(StreamHandle other, const Event& event) const {
  gpu_->check(gpu_->driver().event_record(event.event_.get(), other, kRecord),
              "cuEventRecordWithFlags");
  gpu_->check(gpu_->driver().stream_wait_event(handle(), event.event_.get(), 0),
              "cuStreamWaitEvent");
}

void DeviceStream::synchronize() const {
  gpu_->check(gpu_->driver().stream_synchronize(handle()), "cuStreamSynchronize");
}

void DeviceStream::settle() const noexcept { gpu_->driver().stream_synchronize(handle()); }

Graph DeviceStream::capture(const std::function<void()>& queue) const {
  const Driver& driver = gpu_->driver();
  gpu_->check(driver.stream_begin_capture(handle(), kThreadLocal), "cuStreamBeginCapture");
  bool refused = false;
  captures_ = true;
  try {
    queue();
  } catch (const VocabsegError&) {
    refused = true;  // what is wrong beyond capturing shows when the same is queued directly
  }
  captures_ = false;
  GraphHandle captured = nullptr;
  const Result ended = driver.stream_end_capture(handle(), &captured);
  Owned<GraphHandle> graph;
  if (captured) graph = {gpu_, captured, &Driver::graph_destroy};
  if (refused || (ended >= kFirstCaptureError && ended <= kLastCaptureError)) return {};
  gpu_->check(ended, "cuStreamEndCapture");
  GraphExec exec = nullptr;
  gpu_->check(driver.graph_instantiate(&exec, graph.get(), 0), "cuGraphInstantiate");
  Graph out;
  out.exec_ = {gpu_, exec, &Driver::graph_exec_destroy};
  return out;
}

void DeviceStream::launch(const Graph& graph) const {
  gpu_->check(gpu_->driver().graph_launch(graph.exec_.get(), handle()), "cuGraphLaunch");
}

}  // namespace vocabseg::cuda
