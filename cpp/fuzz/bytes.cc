#include "bytes.hpp"

#include <algorithm>
#include <limits>

namespace vocabseg::fuzz {
namespace {

constexpr float kSpecials[] = {std::numeric_limits<float>::quiet_NaN(),
                               std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity(),
                               std::numeric_limits<float>::max(),
                               -std::numeric_limits<float>::max(),
                               std::numeric_limits<float>::denorm_min(),
                               0.0f,
                               -0.0f};

float uniform(uint64_t bits) { return static_cast<float>(bits >> 40) / (1 << 23) - 1; }

size_t count(int64_t n) { return static_cast<size_t>(std::max<int64_t>(n, 0)); }

}  // namespace

int64_t Bytes::integer(int64_t low, int64_t high) {
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  uint64_t value = 0;
  for (uint64_t left = range; left > 0; left >>= 8) {
    value = value << 8 | (position_ < data_.size() ? data_[position_] : 0);
    ++position_;
  }
  if (range == UINT64_MAX) return static_cast<int64_t>(value);
  return static_cast<int64_t>(static_cast<uint64_t>(low) + value % (range + 1));
}

int64_t Bytes::length(int64_t high) {
  const int64_t kind = integer(0, 255);
  if (kind < 4) return 0;
  if (kind < 24) return high;
  return integer(1, kind < 160 ? std::min<int64_t>(high, 9) : high);
}

std::vector<float> Bytes::floats(int64_t n) {
  Random random = generator();
  const int64_t kind = integer(0, 3);
  std::vector<float> values(count(n));
  for (float& value : values) {
    const uint64_t bits = random.next();
    value = kind == 1 ? static_cast<float>(bits % 3) : uniform(bits);
    if (kind == 2 && bits % 16 == 0) value = kSpecials[random.next() % std::size(kSpecials)];
  }
  return values;
}

std::vector<uint8_t> Bytes::bytes(int64_t n, uint8_t largest) {
  Random random = generator();
  std::vector<uint8_t> values(count(n));
  for (uint8_t& value : values) value = static_cast<uint8_t>(random.next() % (largest + 1u));
  return values;
}

std::vector<int32_t> Bytes::integers(int64_t n, int64_t low, int64_t high) {
  Random random = generator();
  std::vector<int32_t> values(count(n));
  const uint64_t range = static_cast<uint64_t>(std::max(high - low, int64_t{0})) + 1;
  for (int32_t& value : values) {
    value = static_cast<int32_t>(low + static_cast<int64_t>(random.next() % range));
  }
  return values;
}

}  // namespace vocabseg::fuzz
