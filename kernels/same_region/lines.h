// Straight lines between the patches of a grid.
#pragma once

#include <cstdint>
#include <vector>

namespace vocabseg::kernels {

// The line from one patch to another is sampled at as many equal steps as the longest (Chebyshev)
// distance on the grid has, positions rounded to patches with halves to even.
class Lines {
 public:
  Lines(int gh, int gw);

  // Whether the samples have the label of patch i: all of them with `whole`; else, as the official
  // code has it, only the first ones, as many as the distance between i and j.
  bool one_label(const int32_t* labels, int i, int j, bool whole) const;

  // exp(-distance / longest distance).
  float decay(int i, int j) const;

 private:
  int distance(int i, int j) const;

  int gh_, gw_, longest_;
  std::vector<int16_t> rows_, cols_;  // [sample, from, to] along each axis
};

}  // namespace vocabseg::kernels
