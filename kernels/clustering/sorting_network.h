// Sorting by a fixed sequence of exchanges, the same for any values.
#pragma once

#include <vector>

namespace vocabseg::kernels {

// Puts the smaller of two values at `low`, the larger at `high`.
struct Exchange {
  int low, high;
};

struct SortingNetwork {
  std::vector<Exchange> exchanges;
  std::vector<int> order;  // order[r]: where the value of rank r is, after the exchanges
};

// Batcher's odd-even merge of two sorted lists at [0, p) and [p, p + q) (Knuth, The Art of Computer
// Programming 5.3.4).
SortingNetwork merging_network(int p, int q);

// Sorts n values by merging.
SortingNetwork sorting_network(int n);

}  // namespace vocabseg::kernels
