#include "cuda/arguments.hpp"

#include <bitset>
#include <cmath>
#include <cstring>
#include <limits>

#include "vocabseg/error.hpp"

namespace vocabseg::cuda {
namespace {

using Given = std::bitset<kMaxParameters>;

// CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
constexpr std::array<int64_t, 3> kGridLimit = {2147483647, 65535, 65535};

[[noreturn]] void refuse(const Cubin& cubin, const std::string& what) {
  throw ShapeError(cubin.name() + ": " + what);
}

[[noreturn]] void refuse_value(const Cubin& cubin, const Parameter& parameter,
                               const std::string& value, const std::string& expected) {
  refuse(cubin, "argument " + parameter.name + " is " + value + ", expected " + expected);
}

size_t find(const Cubin& cubin, std::string_view name) {
  for (size_t i = 0; i < cubin.parameters.size(); ++i) {
    if (cubin.parameters[i].name == name && !cubin.parameters[i].scratch) return i;
  }
  std::string known;
  for (const Parameter& each : cubin.parameters) {
    if (!each.scratch) known += (known.empty() ? "" : ", ") + each.name;
  }
  refuse(cubin, "unknown argument " + std::string(name) + ", expected " + known);
}

int64_t address(const Cubin& cubin, const Parameter& parameter, const Argument& argument) {
  int64_t value = 0;
  if (const auto* pointer = std::get_if<const void*>(&argument.value)) {
    value = static_cast<int64_t>(reinterpret_cast<uintptr_t>(*pointer));
  } else if (const auto* number = std::get_if<int64_t>(&argument.value)) {
    value = *number;
  } else {
    refuse_value(cubin, parameter, "a float", "a device address");
  }
  if (value % parameter.divisible_by != 0) {
    refuse_value(cubin, parameter, "address " + std::to_string(static_cast<uint64_t>(value)),
                 "one aligned to " + std::to_string(parameter.divisible_by) +
                     " bytes; copy the array to memory of its own");
  }
  return value;
}

int64_t integer(const Cubin& cubin, const Parameter& parameter, const Argument& argument) {
  const auto* value = std::get_if<int64_t>(&argument.value);
  if (!value) refuse_value(cubin, parameter, "not an integer", "an integer");
  const bool fits =
      parameter.type == ParameterType::kInt64 || (*value >= std::numeric_limits<int32_t>::min() &&
                                                  *value <= std::numeric_limits<int32_t>::max());
  if (!fits) {
    refuse_value(cubin, parameter, std::to_string(*value),
                 "a 32-bit integer; split the arrays into smaller ones");
  }
  if (*value % parameter.divisible_by != 0) {
    refuse_value(cubin, parameter, std::to_string(*value),
                 "a multiple of " + std::to_string(parameter.divisible_by) +
                     "; pad the array, or use another implementation (impl=\"triton\")");
  }
  return *value;
}

float real(const Cubin& cubin, const Parameter& parameter, const Argument& argument) {
  double value = 0;
  if (const auto* number = std::get_if<double>(&argument.value)) {
    value = *number;
  } else if (const auto* whole = std::get_if<int64_t>(&argument.value)) {
    value = static_cast<double>(*whole);
  } else {
    refuse_value(cubin, parameter, "a pointer", "a number");
  }
  if (std::isfinite(value) && std::abs(value) > std::numeric_limits<float>::max()) {
    refuse_value(cubin, parameter, std::to_string(value), "one that fits float32");
  }
  return static_cast<float>(value);
}

void store(const Cubin& cubin, const Parameter& parameter, const Argument& argument,
           std::byte* bytes) {
  const auto put = [&](const auto& value) {
    std::memcpy(bytes + parameter.offset, &value, sizeof(value));
  };
  switch (parameter.type) {
    case ParameterType::kPointer:
      return put(address(cubin, parameter, argument));
    case ParameterType::kInt32:
      return put(static_cast<int32_t>(integer(cubin, parameter, argument)));
    case ParameterType::kInt64:
      return put(integer(cubin, parameter, argument));
    case ParameterType::kFloat32:
      return put(real(cubin, parameter, argument));
  }
}

int64_t load_integer(const Parameter& parameter, const std::byte* bytes) {
  int32_t narrow = 0;
  int64_t wide = 0;
  if (parameter.type == ParameterType::kInt64) {
    std::memcpy(&wide, bytes + parameter.offset, sizeof(wide));
    return wide;
  }
  std::memcpy(&narrow, bytes + parameter.offset, sizeof(narrow));
  return narrow;
}

// The product of the factors.
unsigned extent(const Cubin& cubin, size_t dimension, const std::byte* bytes) {
  const int64_t limit = kGridLimit[dimension];
  int64_t product = 1;
  for (const GridFactor& factor : cubin.grid[dimension]) {
    const Parameter& parameter = cubin.parameters[factor.parameter];
    const int64_t value = load_integer(parameter, bytes);
    if (value < 0) refuse_value(cubin, parameter, std::to_string(value), "0 or more");
    const int64_t blocks = value / factor.divisor + (value % factor.divisor != 0);
    product = blocks > 0 && product > limit / blocks ? limit + 1 : product * blocks;
  }
  if (product > limit) {
    refuse(cubin, "dimension " + std::to_string(dimension) + " of the grid has more than " +
                      std::to_string(limit) + " blocks; split the arrays into smaller ones");
  }
  return static_cast<unsigned>(product);
}

}  // namespace

void pack(const Cubin& cubin, const std::vector<Argument>& arguments, Packed& packed) {
  std::memset(packed.bytes.data(), 0, cubin.parameter_bytes());
  Given given;
  for (const Argument& argument : arguments) {
    const size_t index = find(cubin, argument.name);
    const Parameter& parameter = cubin.parameters[index];
    if (given[index]) refuse(cubin, "argument " + parameter.name + " is given twice");
    given.set(index);
    store(cubin, parameter, argument, packed.bytes.data());
  }
  for (size_t i = 0; i < cubin.parameters.size(); ++i) {
    const Parameter& parameter = cubin.parameters[i];
    if (!given[i] && !parameter.scratch) {
      refuse(cubin, "argument " + parameter.name + " is missing");
    }
  }
  packed.grid = {1, 1, 1};
  packed.empty = false;
  for (size_t i = 0; i < cubin.grid.size(); ++i) {
    packed.grid[i] = extent(cubin, i, packed.bytes.data());
    packed.empty |= packed.grid[i] == 0;
  }
}

}  // namespace vocabseg::cuda
