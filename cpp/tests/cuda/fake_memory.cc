// Memory of the fake driver: the host's, so that a test's kernels can work on it.
#include <cstdlib>
#include <cstring>

#include "cuda/driver.hpp"  // for Copy2D
#include "fake_state.hpp"

using namespace fake_cuda;
using vocabseg::cuda::Copy2D;

namespace {

constexpr size_t kAlignment = 256;

// Whether the bytes are of one allocation.
bool holds(const std::map<uintptr_t, size_t>& memory, uintptr_t first, size_t bytes) {
  auto next = memory.upper_bound(first);
  if (next == memory.begin()) return false;
  --next;
  return first + bytes <= next->first + next->second;
}

bool on_device(unsigned long long address, size_t bytes) {
  if (current && holds(state().memory, address, bytes)) return true;
  misuse("a copy beyond device memory, or without a context");
  return false;
}

int allocate(std::map<uintptr_t, size_t>& memory, void** address, size_t bytes) {
  if (!current) return kInvalidContext;
  if (spoil_capture()) return kCaptureUnsupported;
  *address = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  std::memset(*address, 0xa5, bytes);
  memory[reinterpret_cast<uintptr_t>(*address)] = bytes;
  return 0;
}

size_t free_memory() {
  size_t taken = 0;
  for (const auto& [address, bytes] : state().memory) taken += bytes;
  return taken < state().capacity ? state().capacity - taken : 0;
}

}  // namespace

extern "C" {

int cuMemGetInfo_v2(size_t* free, size_t* total) {
  ENTER("cuMemGetInfo_v2");
  if (!current) return kInvalidContext;
  *free = free_memory();
  *total = state().capacity;
  return 0;
}

int cuMemAlloc_v2(unsigned long long* address, size_t bytes) {
  ENTER("cuMemAlloc_v2");
  if (bytes > free_memory()) return kOutOfMemory;
  void* memory = nullptr;
  const int result = bytes == 0 ? kInvalidValue : allocate(state().memory, &memory, bytes);
  *address = reinterpret_cast<uintptr_t>(memory);
  return result;
}

int cuMemFree_v2(unsigned long long address) {
  RELEASE("cuMemFree_v2");
  finish_all();
  const int result = release(state().memory, address, "device memory");
  if (result == 0) std::free(reinterpret_cast<void*>(address));
  return result;
}

int cuMemHostAlloc(void** address, size_t bytes, unsigned) {
  ENTER("cuMemHostAlloc");
  return bytes == 0 ? kInvalidValue : allocate(state().pinned, address, bytes);
}

int cuMemFreeHost(void* address) {
  RELEASE("cuMemFreeHost");
  finish_all();
  const int result = release(state().pinned, reinterpret_cast<uintptr_t>(address), "pinned memory");
  if (result == 0) std::free(address);
  return result;
}

int cuMemcpyHtoDAsync_v2(unsigned long long to, const void* from, size_t bytes, void* stream) {
  ENTER("cuMemcpyHtoDAsync_v2");
  if (!on_device(to, bytes)) return kInvalidValue;
  enqueue({"up", stream, bytes, ""},
          [=] { std::memcpy(reinterpret_cast<void*>(to), from, bytes); });
  return 0;
}

int cuMemcpyDtoHAsync_v2(void* to, unsigned long long from, size_t bytes, void* stream) {
  ENTER("cuMemcpyDtoHAsync_v2");
  if (!on_device(from, bytes)) return kInvalidValue;
  enqueue({"down", stream, bytes, ""},
          [=] { std::memcpy(to, reinterpret_cast<const void*>(from), bytes); });
  return 0;
}

int cuMemcpy2DAsync_v2(const Copy2D* given, void* stream) {
  ENTER("cuMemcpy2DAsync_v2");
  const Copy2D copy = *given;
  const auto reach = [&](const Copy2D::Side& side) {
    return (copy.height - 1) * side.pitch + copy.width;
  };
  const bool up = copy.from.type == Copy2D::kHost;
  if (copy.width > copy.from.pitch || copy.width > copy.to.pitch ||
      !on_device(copy.to.device, reach(copy.to)) ||
      (!up && !on_device(copy.from.device, reach(copy.from)))) {
    return kInvalidValue;
  }
  enqueue({up ? "up" : "rows", stream, copy.width * copy.height, ""}, [copy, up] {
    const auto* from =
        static_cast<const char*>(up ? copy.from.host : reinterpret_cast<void*>(copy.from.device));
    auto* to = reinterpret_cast<char*>(copy.to.device);
    for (size_t y = 0; y < copy.height; ++y) {
      std::memcpy(to + y * copy.to.pitch, from + y * copy.from.pitch, copy.width);
    }
  });
  return 0;
}

}  // extern "C"
