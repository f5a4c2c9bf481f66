#include "kernels/clustering/sorting_network.h"

#include <algorithm>
#include <numeric>

namespace vocabseg::kernels {
namespace {

using Places = std::vector<int>;  // of a sorted list

Places every_second(const Places& list, size_t first) {
  Places half;
  for (size_t i = first; i < list.size(); i += 2) half.push_back(list[i]);
  return half;
}

Places merge(const Places& a, const Places& b, std::vector<Exchange>& exchanges) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  if (a.size() == 1 && b.size() == 1) {
    exchanges.push_back({a[0], b[0]});
    return {a[0], b[0]};
  }
  const Places even = merge(every_second(a, 0), every_second(b, 0), exchanges);
  const Places odd = merge(every_second(a, 1), every_second(b, 1), exchanges);
  Places merged{even[0]};
  for (size_t i = 0; i < std::max(odd.size(), even.size() - 1); ++i) {
    const bool both = i < odd.size() && i + 1 < even.size();
    if (both) exchanges.push_back({odd[i], even[i + 1]});
    if (i < odd.size()) merged.push_back(odd[i]);
    if (i + 1 < even.size()) merged.push_back(even[i + 1]);
  }
  return merged;
}

Places sort(const Places& list, std::vector<Exchange>& exchanges) {
  if (list.size() < 2) return list;
  const auto middle = list.begin() + static_cast<std::ptrdiff_t>(list.size() / 2);
  const Places first = sort({list.begin(), middle}, exchanges);
  const Places second = sort({middle, list.end()}, exchanges);
  return merge(first, second, exchanges);
}

Places counting(int first, int count) {
  Places list(count);
  std::iota(list.begin(), list.end(), first);
  return list;
}

}  // namespace

SortingNetwork merging_network(int p, int q) {
  SortingNetwork network;
  network.order = merge(counting(0, p), counting(p, q), network.exchanges);
  return network;
}

SortingNetwork sorting_network(int n) {
  SortingNetwork network;
  network.order = sort(counting(0, n), network.exchanges);
  return network;
}

}  // namespace vocabseg::kernels
