// Streams, events and graphs of the fake driver.
#include "fake_state.hpp"

using namespace fake_cuda;

namespace {

constexpr int kCaptureInvalidated = 901;

struct Event {
  bool happened = false;
  double time = 0;
};

struct Work {
  Operation operation;
  std::function<void()> run;
};

struct Graph {
  std::vector<Work> work;
  bool spoilt = false;
};

struct Stream {
  std::vector<Work> waiting;
  Graph* captures = nullptr;
};

std::map<void*, void*> recorded;  // event -> the stream that it was last recorded on

Stream* find(void* stream) {
  if (state().streams.count(stream)) return static_cast<Stream*>(stream);
  misuse("a stream is used that is none");
  return nullptr;
}

void run(const std::vector<Work>& all) {
  for (const Work& each : all) {
    const bool takes_time = each.operation.what != "record" && each.operation.what != "graph";
    if (takes_time) ++state().clock;
    if (each.run) each.run();
  }
}

void finish(Stream& stream) {
  const std::vector<Work> waiting = std::move(stream.waiting);
  stream.waiting.clear();
  run(waiting);
}

}  // namespace

void fake_cuda::finish_all() {
  for (void* stream : state().streams) finish(*static_cast<Stream*>(stream));
}

bool fake_cuda::spoil_capture() {
  for (void* stream : state().streams) {
    if (Graph* graph = static_cast<Stream*>(stream)->captures) return graph->spoilt = true;
  }
  return false;
}

void fake_cuda::enqueue(Operation operation, std::function<void()> work) {
  const bool known = state().streams.count(operation.stream) > 0;
  auto* stream =
      known ? static_cast<Stream*>(operation.stream) : nullptr;  // else of the test's own
  if (stream && stream->captures) {
    stream->captures->work.push_back({std::move(operation), std::move(work)});
    return;
  }
  state().operations.push_back(operation);
  if (stream) {
    stream->waiting.push_back({std::move(operation), std::move(work)});
  } else if (work) {
    work();
  }
}

extern "C" {

void fake_cuda_enqueue(void* stream, const char* what, std::function<void()> work) {
  const std::lock_guard lock(state().mutex);
  enqueue({what, stream, 0, ""}, std::move(work));
}

int cuStreamCreate(void** stream, unsigned flags) {
  ENTER("cuStreamCreate");
  if (!current || flags > 1) return kInvalidContext;
  *stream = new Stream;
  state().streams.insert(*stream);
  return 0;
}

int cuStreamDestroy_v2(void* stream) {
  RELEASE("cuStreamDestroy_v2");
  const int result = release(state().streams, stream, "stream");
  if (result != 0) return result;
  finish(*static_cast<Stream*>(stream));
  delete static_cast<Stream*>(stream);
  return 0;
}

int cuStreamSynchronize(void* handle) {
  ENTER("cuStreamSynchronize");
  Stream* stream = find(handle);
  if (!stream) return kInvalidHandle;
  if (spoil_capture()) return kCaptureUnsupported;
  finish(*stream);
  return 0;
}

int cuStreamBeginCapture_v2(void* handle, int mode) {
  ENTER("cuStreamBeginCapture_v2");
  Stream* stream = find(handle);
  if (!stream || stream->captures || mode > 2) return kInvalidValue;
  stream->captures = new Graph;
  return 0;
}

int cuStreamEndCapture(void* handle, void** graph) {
  const std::lock_guard lock(state().mutex);
  Stream* stream = find(handle);
  if (!stream || !stream->captures) return kInvalidValue;
  Graph* captured = stream->captures;
  stream->captures = nullptr;  // even where it fails
  int result = enter("cuStreamEndCapture");
  if (captured->spoilt) result = kCaptureInvalidated;
  if (result != 0) {
    delete captured;
    return result;
  }
  state().graphs.insert(captured);
  *graph = captured;
  return 0;
}

int cuGraphInstantiateWithFlags(void** exec, void* graph, unsigned long long) {
  ENTER("cuGraphInstantiateWithFlags");
  if (!state().graphs.count(graph)) return kInvalidHandle;
  *exec = new Graph(*static_cast<Graph*>(graph));
  state().graphs.insert(*exec);
  return 0;
}

int cuGraphLaunch(void* exec, void* stream) {
  ENTER("cuGraphLaunch");
  if (!state().graphs.count(exec)) return kInvalidHandle;
  const auto work = static_cast<Graph*>(exec)->work;
  enqueue({"graph", stream, 0, std::to_string(work.size())}, [work] { run(work); });
  return 0;
}

int cuGraphDestroy(void* graph) {
  RELEASE("cuGraphDestroy");
  const int result = release(state().graphs, graph, "graph");
  if (result == 0) delete static_cast<Graph*>(graph);
  return result;
}

int cuGraphExecDestroy(void* exec) {
  RELEASE("cuGraphExecDestroy");
  const int result = release(state().graphs, exec, "graph");
  if (result == 0) delete static_cast<Graph*>(exec);
  return result;
}

int cuEventCreate(void** event, unsigned) {
  ENTER("cuEventCreate");
  if (!current) return kInvalidContext;
  *event = new Event;
  state().events.insert(*event);
  return 0;
}

int cuEventDestroy_v2(void* event) {
  RELEASE("cuEventDestroy_v2");
  const int result = release(state().events, event, "event");
  if (result == 0) delete static_cast<Event*>(event);
  return result;
}

// Flag 1 makes a node of a graph, and is for captures alone; without it an event that is captured
// has no time.
int cuEventRecordWithFlags(void* event, void* handle, unsigned flags) {
  ENTER("cuEventRecordWithFlags");
  if (!state().events.count(event)) return kInvalidHandle;
  const bool own = state().streams.count(handle) > 0;  // else of the test's own
  const bool captures = own && static_cast<Stream*>(handle)->captures;
  if (flags > 1 || (flags == 1) != captures) return kInvalidValue;
  recorded[event] = handle;
  static_cast<Event*>(event)->happened = false;
  enqueue({"record", handle, 0, ""}, [event] {
    if (state().events.count(event)) *static_cast<Event*>(event) = {true, state().clock};
  });
  return 0;
}

int cuStreamWaitEvent(void* stream, void* event, unsigned flags) {
  ENTER("cuStreamWaitEvent");
  if (!find(stream) || !state().events.count(event) || flags != 0) return kInvalidHandle;
  void* other = recorded[event];
  enqueue({"wait", stream, 0, ""}, [other] {
    if (state().streams.count(other)) finish(*static_cast<Stream*>(other));
  });
  return 0;
}

int cuEventElapsedTime(float* milliseconds, void* begin, void* end) {
  ENTER("cuEventElapsedTime");
  if (!state().events.count(begin) || !state().events.count(end)) return kInvalidHandle;
  const auto *first = static_cast<Event*>(begin), *last = static_cast<Event*>(end);
  *milliseconds = static_cast<float>(last->time - first->time);
  return first->happened && last->happened ? 0 : kNotReady;
}

}  // extern "C"
