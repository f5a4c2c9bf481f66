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

// run(first, rows) for each run of `count` rows, of most_rows() or fewer; again with fewer where
// that is out of memory and most_rows() is less from then on, but not 0.
template <class MostRows, class Run>
void in_batches(int64_t count, const MostRows& most_rows, const Run& run) {
  for (int64_t first = 0; first < count;) {
    const int64_t rows = std::min<int64_t>(most_rows(), count - first);
    try {
      run(first, rows);
      first += rows;
    } catch (const OutOfMemory&) {
      const int64_t fewer = most_rows();
      if (fewer == 0 || fewer >= rows) throw;
    }
  }
}

// The same with runs of `most` rows, or as many as the engine takes.
template <class Run>
void in_batches(const Engine& engine, int64_t count, int64_t most, const Run& run) {
  in_batches(
      count, [&] { return rows_of_run(engine, most); }, run);
}

}  // namespace vocabseg
