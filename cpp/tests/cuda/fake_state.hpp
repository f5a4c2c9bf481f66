// What the two halves of the fake driver share.
#pragma once

#include <deque>

#include "fake_cuda.hpp"

namespace fake_cuda {

constexpr int kCaptureUnsupported = 900;
constexpr int kInvalidValue = 1, kOutOfMemory = 2, kInvalidContext = 201, kInvalidHandle = 400,
              kNotFound = 500, kNotReady = 600;

struct State : Driver {
  std::deque<Context> contexts;
  std::deque<Function> functions;
  std::map<int, Context*> primaries;
};

State& state();

extern thread_local Context* current;

// Counts a call; its failure, if one was asked for.
int enter(const char* call, bool releases = false);

// On a stream, or in the graph that it captures.
void enqueue(Operation operation, std::function<void()> work);

// Does all that waits, as releasing memory does.
void finish_all();

// Whether a stream captures; what asks this must not be done then, and spoils the graph.
bool spoil_capture();

inline void misuse(const std::string& what) { state().misuse.push_back(what); }

template <class Handles>
int release(Handles& handles, typename Handles::key_type handle, const char* what) {
  if (!current) misuse(std::string("no context to release in: ") + what);
  if (handles.erase(handle) == 1) return 0;
  misuse(std::string("released but not there: ") + what);
  return kInvalidHandle;
}

}  // namespace fake_cuda

#define ENTER(call)                          \
  const std::lock_guard lock(state().mutex); \
  if (const int failure = enter(call)) return failure

#define RELEASE(call)                        \
  const std::lock_guard lock(state().mutex); \
  if (const int failure = enter(call, true)) return failure
