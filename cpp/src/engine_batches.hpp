#pragma once

#include <algorithm>
#include <cstdint>

#include "vocabseg/engine.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg {

// Rows of a run: `most`, or as many as the engine takes now.
inline int64_t rows_of_run(const Engine& engine, int64_t most) {
  const int64_t largest = engine.traits().largest_batch;
  return largest > 0 ? std::min(most, largest) : most;
}

// run(first, rows) for each run of `count` rows; again with fewer where that is out of memory and
// the engine takes fewer from then on.
template <class Run>
void in_batches(const Engine& engine, int64_t count, int64_t most, const Run& run) {
  for (int64_t first = 0; first < count;) {
    const int64_t rows = std::min(rows_of_run(engine, most), count - first);
    try {
      run(first, rows);
      first += rows;
    } catch (const OutOfMemory&) {
      if (rows_of_run(engine, most) >= rows) throw;
    }
  }
}

}  // namespace vocabseg
