// Chosen pixels of masks.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

// out [count, rows, cols] = the pixels of maps [count, height, width] at the given rows and
// columns.
template <class T>
void take_pixels(const T* maps, int64_t count, int64_t height, int64_t width,
                 const std::vector<int64_t>& rows, const std::vector<int64_t>& cols, T* out,
                 ThreadPool& pool) {
  const auto out_h = static_cast<int64_t>(rows.size()), out_w = static_cast<int64_t>(cols.size());
  pool.parallel_for(count, [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) {
      for (int64_t y = 0; y < out_h; ++y) {
        const T* from = maps + (m * height + rows[y]) * width;
        T* to = out + (m * out_h + y) * out_w;
        for (int64_t x = 0; x < out_w; ++x) to[x] = from[cols[x]];
      }
    }
  });
}

}  // namespace vocabseg::kernels
