#include "kernels/mask_pooling/pushdown.h"

#include <algorithm>

namespace vocabseg::kernels {

RunSums::RunSums(const AxisWeights& axis)
    : axis_(axis), first_(axis.columns(), 0), running_(axis.columns(), {0.0}) {
  for (int pixel = 0; pixel < axis.rows; ++pixel) {
    for (int k = axis.offset[pixel]; k < axis.offset[pixel + 1]; ++k) {
      const int patch = axis.index[k];
      std::vector<double>& running = running_[patch];
      if (running.size() == 1) first_[patch] = pixel;
      running.resize(pixel - first_[patch] + 1, running.back());
      running.push_back(running.back() + axis.weight[k]);
    }
  }
}

void RunSums::add(int begin, int end, double* sums) const {
  // Patches rise with pixels, so the run reaches none outside these two.
  const int low = axis_.index[axis_.offset[begin]];
  const int high = axis_.index[axis_.offset[end] - 1];
  for (int patch = low; patch <= high; ++patch) {
    const auto last = static_cast<int>(running_[patch].size()) - 1;
    const auto upto = [&](int pixel) {
      return running_[patch][std::clamp(pixel - first_[patch], 0, last)];
    };
    sums[patch] += upto(end) - upto(begin);
  }
}

Pushdown::Pushdown(const AxisWeights& lines, const RunSums& runs, int run_columns)
    : lines_(&lines),
      runs_(&runs),
      run_columns_(run_columns),
      line_(run_columns),
      sums_(int64_t{lines.columns()} * run_columns) {}

void Pushdown::add_run(int begin, int end) {
  runs_->add(begin, end, line_.data());
  area_ += end - begin;
  touched_ = true;
}

void Pushdown::end_line(int line) {
  if (!touched_) return;
  for (int k = lines_->offset[line]; k < lines_->offset[line + 1]; ++k) {
    double* sums = &sums_[int64_t{lines_->index[k]} * run_columns_];
    for (int i = 0; i < run_columns_; ++i) sums[i] += lines_->weight[k] * line_[i];
  }
  std::fill(line_.begin(), line_.end(), 0.0);
  touched_ = false;
}

}  // namespace vocabseg::kernels
