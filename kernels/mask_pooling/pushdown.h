// The transposed up-sampling of one mask that is given as runs.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/axis_weights.h"

namespace vocabseg::kernels {

// What an axis gives each patch over a range of pixels: running sums of its weights. Runs cost
// O(patches touched), whatever their length.
class RunSums {
 public:
  explicit RunSums(const AxisWeights& axis);

  // Adds to sums [axis.columns()] the weights of pixels [begin, end), begin < end.
  void add(int begin, int end, double* sums) const;

 private:
  const AxisWeights& axis_;
  std::vector<int> first_;                    // first pixel that a patch reaches
  std::vector<std::vector<double>> running_;  // [i]: sum over the i pixels from there
};

// Accumulates the runs of a mask line by line: a line is a pixel of the `lines` axis, and runs lie
// along the other one. Rows of an image and columns of a run-length code work alike.
class Pushdown {
 public:
  Pushdown(const AxisWeights& lines, const RunSums& runs, int run_columns);

  void add_run(int begin, int end);
  void end_line(int line);

  int64_t area() const { return area_; }
  // Summed weight of patch (line_patch, run_patch) of the composite grids.
  double sum(int line_patch, int run_patch) const {
    return sums_[int64_t{line_patch} * run_columns_ + run_patch];
  }

 private:
  const AxisWeights* lines_;
  const RunSums* runs_;
  int run_columns_;
  bool touched_ = false;  // the current line has runs
  int64_t area_ = 0;
  std::vector<double> line_;  // [run_columns]
  std::vector<double> sums_;  // [lines.columns(), run_columns]
};

}  // namespace vocabseg::kernels
