#pragma once

#include <cstddef>
#include <random>
#include <vector>

namespace vocabseg::kernels {

// Normally distributed, the same for the same seed.
inline std::vector<float> random_values(size_t count, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

}  // namespace vocabseg::kernels
