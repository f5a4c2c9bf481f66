// The median of size x size pixels around every pixel, exactly.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/clustering/sorting_network.h"

namespace vocabseg::kernels {

// How to take a row of medians by exchanges between whole rows of memory, so that neighbouring
// windows share what they have in common: columns of `size` pixels are sorted once; windows of 2,
// 4, ... columns are merged from two of half the width; the median is selected from the widest that
// fits and the merged rest. At size 7 that takes 131 exchanges, and the smallest of 22 maxima.
//
// Places are offsets in the memory, in floats. Its first `size` rows are the pixels.
class MedianProgram {
 public:
  // size: odd and positive; width: medians in a row.
  MedianProgram(int size, int64_t width);

  // Writes the smaller of the pixels of two rows to one row, the larger to another.
  struct RowExchange {
    int64_t from[2], low, high;
  };

  int size;
  int64_t width;
  int64_t padded_width;  // pixels of a row: width + size - 1
  int64_t stride;        // from row to row, whole cache lines
  int64_t memory;        // floats
  std::vector<RowExchange> exchanges;
  std::vector<std::pair<int64_t, int64_t>> maxima;  // the median is the smallest of these

 private:
  using List = std::vector<int64_t>;  // where the values of a window are, sorted

  List sort(List values, const SortingNetwork& network);
  List merge(const List& a, const List& b);
  void select(const List& a, const List& b);
};

// out[x], x < width: the median of the pixels x, ..., x + size - 1 of the first `size` rows, in any
// order and without NaN. The memory starts at a cache line; its other rows are overwritten.
void median_row(const MedianProgram& program, float* memory, float* out);

}  // namespace vocabseg::kernels
