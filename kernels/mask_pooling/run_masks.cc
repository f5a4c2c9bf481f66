#include "kernels/mask_pooling/run_masks.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/mask_pooling/run_masks.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Writes the pixels at which a run of equal labels begins, and `width` after them; returns their
// number. `starts` has room for `width` and kMaxVectorBytes more.
int find_runs(const int32_t* labels, int width, int32_t* starts) {
  const hn::ScalableTag<int32_t> d;
  const auto lanes = static_cast<int>(hn::Lanes(d));
  int runs = 0, x = 1;
  starts[runs++] = 0;
  for (; x + lanes <= width; x += lanes) {
    const auto begins = hn::Ne(hn::LoadU(d, labels + x), hn::LoadU(d, labels + x - 1));
    hn::StoreU(hn::Compress(hn::Iota(d, x), begins), d, starts + runs);
    runs += static_cast<int>(hn::CountTrue(d, begins));
  }
  for (; x < width; ++x) {
    if (labels[x] != labels[x - 1]) starts[runs++] = x;
  }
  starts[runs] = width;
  return runs;
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {
namespace {

HWY_EXPORT(find_runs);

// Calls piece(column, begin, end) for the pixels of a mask, column by column.
template <class Piece>
void for_each_piece(const RunLengths& mask, int height, const Piece& piece) {
  int64_t column = 0, row = 0;
  for (int64_t i = 0; i < mask.size; ++i) {
    int64_t left = mask.counts[i];
    while (i % 2 && left > 0) {
      const int64_t end = std::min<int64_t>(row + left, height);
      piece(static_cast<int>(column), static_cast<int>(row), static_cast<int>(end));
      left -= end - row, row = end;
      if (row == height) row = 0, ++column;
    }
    row += left;
    if (row >= height) column += row / height, row %= height;
  }
}

// The moments of ids in one band, and the blocks that each has touched.
class LabelBand {
 public:
  LabelBand(int64_t count, const Segments& cols)
      : cols_(cols), moments_(count * cols.size()), range_(count, {cols.size(), -1}) {}

  void add(int64_t id, int begin, int end, float line) {
    touch(id, cols_.of_pixel[begin], add_run(cols_, begin, end, line, moments(id)));
  }

  void add(int64_t id, int begin, int end, float line, const float* weights) {
    touch(id, cols_.of_pixel[begin],
          add_weighted_run(cols_, begin, end, line, weights, moments(id)));
  }

  // Calls finish(id, moments, first, last) for every id that was touched, and forgets them.
  template <class Finish>
  void end(const Finish& finish) {
    for (int64_t id : touched_) {
      finish(id, moments(id), range_[id].first, range_[id].second);
      range_[id] = {cols_.size(), -1};
    }
    touched_.clear();
  }

 private:
  Moments* moments(int64_t id) { return &moments_[id * cols_.size()]; }

  void touch(int64_t id, int first, int last) {
    auto& [low, high] = range_[id];
    if (high < 0) touched_.push_back(id);
    low = std::min(low, first), high = std::max(high, last);
  }

  const Segments& cols_;
  std::vector<Moments> moments_;            // [ids, cols.size()]
  std::vector<std::pair<int, int>> range_;  // blocks [first, last]
  std::vector<int64_t> touched_;
};

}  // namespace

Pushed push_runs(const RunLengths& mask, const Segments& rows, const Segments& cols,
                 BandWeights& band, Moments* moments, float* sums) {
  std::fill_n(sums, int64_t{rows.patches} * cols.patches, 0.f);
  Pushed pushed;
  int current = 0, first = rows.size(), last = -1;
  const auto finish = [&] { pushed.total += band.add(current, moments, first, last, sums); };
  for_each_piece(mask, rows.pixels, [&](int column, int begin, int end) {
    const int segment = cols.of_pixel[column];
    if (segment != current) {
      finish();
      current = segment, first = rows.size(), last = -1;
    }
    const auto line = static_cast<float>(cols.segment[segment].end - 1 - column);
    first = std::min(first, rows.of_pixel[begin]);
    last = std::max(last, add_run(rows, begin, end, line, moments));
  });
  finish();
  pushed.area = static_cast<int64_t>(pushed.total);
  return pushed;
}

void expand(const RunLengths& mask, int height, int width, uint8_t* pixels) {
  std::fill_n(pixels, int64_t{height} * width, uint8_t{0});
  for_each_piece(mask, height, [&](int column, int begin, int end) {
    for (int y = begin; y < end; ++y) pixels[int64_t{y} * width + column] = 1;
  });
}

void push_labels(const Labels& labels, int64_t first, int64_t count, const Segments& rows,
                 const Segments& cols, float* sums, Pushed* pushed) {
  const int64_t cells = int64_t{rows.patches} * cols.patches;
  std::fill_n(sums, count * cells, 0.f);
  std::fill_n(pushed, count, Pushed{});
  LabelBand moments(count, cols);
  BandWeights weights(rows, cols);
  std::vector<int32_t> starts(cols.pixels + kMaxVectorBytes);
  for (int band = 0; band < rows.size(); ++band) {
    const Segment& segment = rows.segment[band];
    for (int y = segment.begin; y < segment.end; ++y) {
      const int64_t offset = int64_t{y} * cols.pixels;
      const int32_t* row = labels.pixels + offset;
      const int runs = HWY_DYNAMIC_DISPATCH(find_runs)(row, cols.pixels, starts.data());
      const auto line = static_cast<float>(segment.end - 1 - y);
      for (int run = 0; run < runs; ++run) {
        const int begin = starts[run], end = starts[run + 1];
        const int64_t id = row[begin] - first;
        if (row[begin] < 0 || id < 0 || id >= count) continue;
        pushed[id].area += end - begin;
        if (labels.weights) {
          moments.add(id, begin, end, line, labels.weights + (first + id) * labels.stride + offset);
        } else {
          moments.add(id, begin, end, line);
        }
      }
    }
    moments.end([&](int64_t id, Moments* sum, int low, int high) {
      pushed[id].total += weights.add(band, sum, low, high, sums + id * cells);
    });
  }
}

}  // namespace vocabseg::kernels
#endif
