#include <algorithm>

#include "kernels/clustering/median.h"

namespace vocabseg::kernels {
namespace {

constexpr int64_t kLine = 16;  // floats of a cache line, and of the widest vector

// The same list for the window that lies `columns` further to the right.
std::vector<int64_t> shifted(std::vector<int64_t> list, int columns) {
  for (int64_t& place : list) place += columns;
  return list;
}

}  // namespace

MedianProgram::MedianProgram(int size, int64_t width)
    : size(size),
      width(width),
      padded_width(width + size - 1),
      // Shifted rows are read up to a window and a vector beyond their end.
      stride((padded_width + size) / kLine * kLine + 2 * kLine),
      memory(size * stride) {
  List pixels;
  for (int row = 0; row < size; ++row) pixels.push_back(row * stride);
  std::vector<List> windows{sort(pixels, sorting_network(size))};  // of 1, 2, 4, ... columns
  int columns = 1;
  for (; 2 * columns <= size; columns *= 2) {
    windows.push_back(merge(windows.back(), shifted(windows.back(), columns)));
  }
  const List widest = windows.back();
  List rest;
  int first = columns;
  for (windows.pop_back(); !windows.empty(); windows.pop_back()) {
    columns /= 2;
    if (first + columns > size) continue;
    const List part = shifted(windows.back(), first);
    rest = rest.empty() ? part : merge(rest, part);
    first += columns;
  }
  select(widest, rest);
}

// The values move to new rows, as the sources may be part of other windows.
MedianProgram::List MedianProgram::sort(List values, const SortingNetwork& network) {
  for (const auto& [low, high] : network.exchanges) {
    const int64_t to_low = memory + low * stride, to_high = memory + high * stride;
    exchanges.push_back({{values[low], values[high]}, to_low, to_high});
    values[low] = to_low;
    values[high] = to_high;
  }
  memory += static_cast<int64_t>(values.size()) * stride;
  List sorted;
  for (int place : network.order) sorted.push_back(values[place]);
  return sorted;
}

MedianProgram::List MedianProgram::merge(const List& a, const List& b) {
  List both = a;
  both.insert(both.end(), b.begin(), b.end());
  return sort(both, merging_network(static_cast<int>(a.size()), static_cast<int>(b.size())));
}

// The k smallest of both lists are the first i of one and the first k - i of the other, and any
// such choice has a maximum that is no smaller than theirs.
void MedianProgram::select(const List& a, const List& b) {
  const size_t k = (a.size() + b.size() + 1) / 2;
  for (size_t i = k - std::min(k, b.size()); i <= std::min(k, a.size()); ++i) {
    const int64_t last_a = i > 0 ? a[i - 1] : b[k - 1];
    const int64_t last_b = i < k ? b[k - i - 1] : a[k - 1];
    maxima.emplace_back(last_a, last_b);
  }
}

}  // namespace vocabseg::kernels
