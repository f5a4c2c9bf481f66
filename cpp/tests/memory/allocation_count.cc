#include "allocation_count.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int64_t> live{0}, peak_live{0};

// A block's size lies before it.
constexpr size_t kHeader = alignof(std::max_align_t);

// Null if there is no memory.
void* allocate(size_t size) {
  void* block = std::malloc(size + kHeader);
  if (!block) return nullptr;
  *static_cast<size_t*>(block) = size;
  const int64_t now = live += static_cast<int64_t>(size);
  int64_t peak = peak_live;
  while (now > peak && !peak_live.compare_exchange_weak(peak, now)) {
  }
  return static_cast<char*>(block) + kHeader;
}

void release(void* pointer) {
  if (!pointer) return;
  void* block = static_cast<char*>(pointer) - kHeader;
  live -= static_cast<int64_t>(*static_cast<size_t*>(block));
  std::free(block);
}

}  // namespace

// All forms but those for over-aligned types, which are not counted. The ones that do not throw
// would call the others, were it not that AddressSanitizer brings its own.
void* operator new(size_t size) {
  void* pointer = allocate(size);
  if (!pointer) throw std::bad_alloc();
  return pointer;
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* pointer) noexcept { release(pointer); }
void operator delete[](void* pointer) noexcept { release(pointer); }
void operator delete(void* pointer, const std::nothrow_t&) noexcept { release(pointer); }
void operator delete[](void* pointer, const std::nothrow_t&) noexcept { release(pointer); }
void operator delete(void* pointer, size_t) noexcept { release(pointer); }
void operator delete[](void* pointer, size_t) noexcept { release(pointer); }

namespace vocabseg {

AllocationCount::AllocationCount() : begin_(live) { peak_live = begin_; }

int64_t AllocationCount::peak() const { return peak_live - begin_; }

}  // namespace vocabseg
