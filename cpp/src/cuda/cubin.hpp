// What manifest.json says of a cubin: how to find it, and how to launch it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "vocabseg/cuda_kernels.hpp"

namespace vocabseg::cuda {

constexpr size_t kMaxParameters = 64;
constexpr size_t kMaxParameterBytes = 4096;  // of a kernel, on every architecture

enum class ParameterType { kPointer, kInt32, kInt64, kFloat32 };

struct Parameter {
  std::string name;
  ParameterType type;
  size_t offset, size;   // in the parameter buffer, bytes
  int64_t divisible_by;  // precondition
  bool scratch;          // not an argument: Triton's own, null where the kernel needs none
};

// ceil(parameter / divisor)
struct GridFactor {
  size_t parameter;  // index
  int64_t divisor;
};

struct Cubin {
  CubinInfo info;
  std::string file, sha256, symbol;
  uint64_t offset, size;  // in the file
  unsigned warps, shared_bytes;
  std::vector<Parameter> parameters;
  std::vector<std::vector<GridFactor>> grid;  // up to three dimensions, each a product

  size_t parameter_bytes() const { return parameters.back().offset + parameters.back().size; }

  // "patch_text_similarity fp16 NORMALIZE=1"
  std::string name() const;
};

std::string variant_text(const Variant& variant);

// Reads folder/manifest.json and checks it against the packs beside it. Throws BundleError.
std::vector<Cubin> read_manifest(const std::filesystem::path& folder);

// The bytes of a cubin. Throws BundleError if their SHA-256 is not the manifest's.
std::vector<char> read_cubin(const std::filesystem::path& folder, const Cubin& cubin);

// See CubinSet::choose. Returns an index.
size_t choose_cubin(const std::vector<Cubin>& cubins, const std::string& kernel,
                    const std::string& dtype, const Variant& variant, int arch);

}  // namespace vocabseg::cuda
