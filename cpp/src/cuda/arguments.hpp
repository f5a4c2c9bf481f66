// Arguments by name to the bytes and the grid of a launch.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "cuda/cubin.hpp"

namespace vocabseg::cuda {

struct Packed {
  alignas(16) std::array<std::byte, kMaxParameterBytes> bytes;  // the first parameter_bytes() count
  std::array<unsigned, 3> grid;
  bool empty;  // a dimension of the grid is 0
};

// Checks the arguments and writes them where the manifest says. Allocates nothing. Throws
// ShapeError.
void pack(const Cubin& cubin, const std::vector<Argument>& arguments, Packed& packed);

}  // namespace vocabseg::cuda
