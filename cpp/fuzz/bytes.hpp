// Reads numbers and arrays from the bytes of an input. Bytes beyond its end are 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <vector>

namespace vocabseg::fuzz {

// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

class Bytes {
 public:
  explicit Bytes(const std::vector<uint8_t>& data) : data_(data) {}

  // From low to high, both included.
  int64_t integer(int64_t low, int64_t high);
  bool chance(int in_256) { return integer(0, 255) < in_256; }

  template <class T>
  T one_of(std::initializer_list<T> values) {
    return *std::next(values.begin(), integer(0, static_cast<int64_t>(values.size()) - 1));
  }

  // A length that is mostly small, sometimes `high`, seldom 0.
  int64_t length(int64_t high);

  // Arrays of exactly `n` elements (none if n < 0), made from a seed of four bytes. Floats are
  // ordinary, small integers (ties), or ordinary with NaN, infinities, huge and tiny ones among
  // them.
  std::vector<float> floats(int64_t n);
  std::vector<uint8_t> bytes(int64_t n, uint8_t largest = 255);
  // From low to high, both included; low where high is less.
  std::vector<int32_t> integers(int64_t n, int64_t low, int64_t high);

 private:
  Random generator() { return Random(static_cast<uint64_t>(integer(0, UINT32_MAX))); }

  const std::vector<uint8_t>& data_;
  size_t position_ = 0;
};

}  // namespace vocabseg::fuzz
