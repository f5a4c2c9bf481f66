// SHA-256 (FIPS 180-4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace vocabseg {

class Sha256 {
 public:
  Sha256();
  void update(const void* data, size_t size);
  std::string hex_digest();  // 64 lower-case digits; ends the object's use

 private:
  using Compress = void (*)(uint32_t*, const uint8_t*);

  Compress compress_;
  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> block_{};
  uint64_t length_ = 0;  // bytes so far
};

// Adds one block of 64 bytes to the state. The fast one needs has_sha_instructions().
void sha256_compress(uint32_t state[8], const uint8_t* block);
void sha256_compress_fast(uint32_t state[8], const uint8_t* block);
bool has_sha_instructions();
extern const uint32_t kSha256Round[64];

// Of a whole file; throws BundleError if it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace vocabseg
