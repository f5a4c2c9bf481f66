// Compiled without contraction to fused multiply-adds: halves must fall as the official code's do.
#include "kernels/same_region/lines.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace vocabseg::kernels {
namespace {

// Equal steps from 0 to 1 in float32, from both ends to the middle, as torch.linspace takes them.
std::vector<float> equal_steps(int last) {
  std::vector<float> share(last + 1, 0.f);
  const float step = last > 0 ? 1.f / static_cast<float>(last) : 0.f;
  const int half = (last + 1) / 2;
  for (int k = 0; k <= last; ++k) {
    share[k] = k < half ? step * static_cast<float>(k) : 1.f - step * static_cast<float>(last - k);
  }
  if (last == 0) share[0] = 0;
  return share;
}

std::vector<int16_t> samples(int length, const std::vector<float>& shares) {
  std::vector<int16_t> table;
  table.reserve(shares.size() * length * length);
  for (const float share : shares) {
    const float rest = 1.f - share;
    for (int from = 0; from < length; ++from) {
      const float start = static_cast<float>(from) * rest;
      for (int to = 0; to < length; ++to) {
        const float end = static_cast<float>(to) * share;
        table.push_back(static_cast<int16_t>(std::nearbyint(start + end)));
      }
    }
  }
  return table;
}

}  // namespace

Lines::Lines(int gh, int gw) : gh_(gh), gw_(gw), longest_(std::max(gh, gw) - 1) {
  const std::vector<float> shares = equal_steps(longest_);
  rows_ = samples(gh, shares);
  cols_ = samples(gw, shares);
}

int Lines::distance(int i, int j) const {
  return std::max(std::abs(i / gw_ - j / gw_), std::abs(i % gw_ - j % gw_));
}

bool Lines::one_label(const int32_t* labels, int i, int j, bool whole) const {
  const int last = whole ? longest_ : distance(i, j);
  const int64_t row = int64_t{i / gw_} * gh_ + j / gw_, col = int64_t{i % gw_} * gw_ + j % gw_;
  for (int k = 1; k <= last; ++k) {
    const int y = rows_[int64_t{k} * gh_ * gh_ + row], x = cols_[int64_t{k} * gw_ * gw_ + col];
    if (labels[y * gw_ + x] != labels[i]) return false;
  }
  return true;
}

float Lines::decay(int i, int j) const {
  return std::exp(-static_cast<float>(distance(i, j)) / static_cast<float>(std::max(longest_, 1)));
}

}  // namespace vocabseg::kernels
