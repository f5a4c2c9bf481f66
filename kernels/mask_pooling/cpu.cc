#include "kernels/mask_pooling/cpu.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "kernels/mask_pooling/pushdown.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

void check_sizes(int64_t count, const AxisWeights& rows, const AxisWeights& cols) {
  if (count >= 0 && rows.rows > 0 && cols.rows > 0) return;
  throw ShapeError("got " + std::to_string(count) + " masks of " + std::to_string(rows.rows) +
                   " x " + std::to_string(cols.rows) + " pixels; expected at least 1 x 1 pixels");
}

// Weights [W, gh, gw] of one mask, divided by its area. `at` reads the sum at (row patch, column
// patch).
template <class At>
void write_weights(const At& at, int64_t area, const AxisWeights& rows, const AxisWeights& cols,
                   float* weights) {
  const double scale = area > 0 ? 1.0 / static_cast<double>(area) : 0;
  for (int wy = 0; wy < rows.windows; ++wy) {
    for (int wx = 0; wx < cols.windows; ++wx) {
      for (int y = wy * rows.grid; y < (wy + 1) * rows.grid; ++y) {
        for (int x = wx * cols.grid; x < (wx + 1) * cols.grid; ++x) {
          *weights++ = static_cast<float>(at(y, x) * scale);
        }
      }
    }
  }
}

int64_t cells(const AxisWeights& rows, const AxisWeights& cols) {
  return int64_t{rows.columns()} * cols.columns();
}

void add_mask_row(const uint8_t* row, int width, Pushdown& mask) {
  for (int x = 0; x < width;) {
    const uint8_t* begin = std::find_if(row + x, row + width, [](uint8_t v) { return v != 0; });
    if (begin == row + width) return;
    const void* end = std::memchr(begin, 0, row + width - begin);
    const auto first = static_cast<int>(begin - row);
    x = end ? static_cast<int>(static_cast<const uint8_t*>(end) - row) : width;
    mask.add_run(first, x);
  }
}

// Adds the runs of ids [first, last) in a row of labels; `touched` is scratch.
void add_label_row(const int32_t* row, int width, int64_t first, int64_t last, int y,
                   std::vector<Pushdown>& masks, std::vector<int64_t>& touched) {
  touched.clear();
  for (int begin = 0, end = 0; begin < width; begin = end) {
    const int32_t id = row[begin];
    while (end < width && row[end] == id) ++end;
    if (id < first || id >= last) continue;
    masks[id - first].add_run(begin, end);
    touched.push_back(id - first);
  }
  for (int64_t mask : touched) masks[mask].end_line(y);
}

// Adds the runs of a code; background and mask alternate, and a run may go on over several columns.
void add_code(const RleCounts& counts, int height, Pushdown& mask) {
  int64_t position = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const int64_t end = position + counts[i];
    while (position < end) {
      const auto column = static_cast<int>(position / height);
      const int64_t top = int64_t{column} * height;
      const int64_t stop = std::min(end, top + height);
      if (i % 2) mask.add_run(static_cast<int>(position - top), static_cast<int>(stop - top));
      if (stop == top + height) mask.end_line(column);
      position = stop;
    }
  }
}

void check_codes(const std::vector<RleCounts>& masks, int64_t height, int64_t width) {
  for (size_t m = 0; m < masks.size(); ++m) {
    uint64_t sum = 0;
    for (uint32_t count : masks[m]) sum += count;
    if (sum == static_cast<uint64_t>(height * width)) continue;
    throw MaskError("the runs of mask " + std::to_string(m) + " sum to " + std::to_string(sum) +
                    ", expected " + std::to_string(height) + " x " + std::to_string(width) + " = " +
                    std::to_string(height * width) + ": pass masks of the image's size");
  }
}

}  // namespace

void mask_weights(const uint8_t* masks, int64_t count, const AxisWeights& rows,
                  const AxisWeights& cols, float* weights, int64_t* area, ThreadPool& pool) {
  check_sizes(count, rows, cols);
  const RunSums runs(cols);
  pool.parallel_for(count, [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) {
      Pushdown mask(rows, runs, cols.columns());
      for (int y = 0; y < rows.rows; ++y) {
        add_mask_row(masks + (m * rows.rows + y) * cols.rows, cols.rows, mask);
        mask.end_line(y);
      }
      area[m] = mask.area();
      write_weights([&](int y, int x) { return mask.sum(y, x); }, area[m], rows, cols,
                    weights + m * cells(rows, cols));
    }
  });
}

void mask_weights(const int32_t* labels, int64_t count, const AxisWeights& rows,
                  const AxisWeights& cols, float* weights, int64_t* area, ThreadPool& pool) {
  check_sizes(count, rows, cols);
  const int64_t pixels = int64_t{rows.rows} * cols.rows;
  const int32_t largest = *std::max_element(labels, labels + pixels);
  if (largest >= count) {
    throw MaskError("the label map has id " + std::to_string(largest) + ", expected less than " +
                    std::to_string(count) + ": raise the number of masks or use negative ids");
  }
  const RunSums runs(cols);
  pool.parallel_for(count, [&](int64_t begin, int64_t end) {
    std::vector<Pushdown> masks(end - begin, Pushdown(rows, runs, cols.columns()));
    std::vector<int64_t> touched;
    for (int y = 0; y < rows.rows; ++y) {
      add_label_row(labels + int64_t{y} * cols.rows, cols.rows, begin, end, y, masks, touched);
    }
    for (int64_t m = begin; m < end; ++m) {
      const Pushdown& mask = masks[m - begin];
      area[m] = mask.area();
      write_weights([&](int y, int x) { return mask.sum(y, x); }, area[m], rows, cols,
                    weights + m * cells(rows, cols));
    }
  });
}

void mask_weights(const std::vector<RleCounts>& masks, const AxisWeights& rows,
                  const AxisWeights& cols, float* weights, int64_t* area, ThreadPool& pool) {
  const auto count = static_cast<int64_t>(masks.size());
  check_sizes(count, rows, cols);
  check_codes(masks, rows.rows, cols.rows);
  const RunSums runs(rows);
  pool.parallel_for(count, [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) {
      Pushdown mask(cols, runs, rows.columns());
      add_code(masks[m], rows.rows, mask);
      area[m] = mask.area();
      write_weights([&](int y, int x) { return mask.sum(x, y); }, area[m], rows, cols,
                    weights + m * cells(rows, cols));
    }
  });
}

void pool_features(const float* weights, int64_t count, const float* features, int64_t cells,
                   int64_t d, float* pooled, ThreadPool& pool) {
  if (count < 0 || cells < 1 || d < 1) {
    throw ShapeError("cannot pool features [" + std::to_string(cells) + ", " + std::to_string(d) +
                     "] over " + std::to_string(count) + " masks");
  }
  pool.parallel_for(count, [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) {
      float* row = pooled + m * d;
      std::fill_n(row, d, 0.f);
      for (int64_t cell = 0; cell < cells; ++cell) {
        const float weight = weights[m * cells + cell];
        if (weight == 0) continue;
        for (int64_t k = 0; k < d; ++k) row[k] += weight * features[cell * d + k];
      }
    }
  });
}

}  // namespace vocabseg::kernels
