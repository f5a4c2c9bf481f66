// Scratch memory for vectors of any width.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace vocabseg::kernels {

constexpr std::align_val_t kCacheLine{64};

struct AlignedDelete {
  void operator()(float* memory) const { operator delete[](memory, kCacheLine); }
};
using AlignedFloats = std::unique_ptr<float[], AlignedDelete>;

// `count` floats at the start of a cache line, not initialised.
inline AlignedFloats aligned_floats(int64_t count) {
  const size_t bytes = static_cast<size_t>(count) * sizeof(float);
  return AlignedFloats(static_cast<float*>(operator new[](bytes, kCacheLine)));
}

}  // namespace vocabseg::kernels
