#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>

#include "kernels/mask_pooling/cpu.h"
#include "kernels/mask_pooling/dense_masks.h"
#include "kernels/mask_pooling/run_masks.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

// Summed weights of one mask: patch (y, x) of the composite grids is at y * row_stride + x *
// col_stride.
struct Sums {
  const float* data;
  int64_t row_stride, col_stride;
};

// One call of mask_weights.
class Push {
 public:
  Push(int64_t begin, int64_t n, const PixelWeights& pixel_weights, const AxisWeights& rows,
       const AxisWeights& cols, float* weights, int64_t* area, ThreadPool& pool)
      : begin_(begin),
        n_(n),
        pixel_weights_(pixel_weights),
        row_axis_(rows),
        col_axis_(cols),
        rows_(rows),
        cols_(cols),
        cells_(int64_t{rows.columns()} * cols.columns()),
        pixels_(int64_t{rows.rows} * cols.rows),
        weights_(weights),
        area_(area),
        pool_(pool) {}

  void operator()(const ByteMasks& masks) {
    dense([&](int64_t m) { return DenseMask{masks.data + m * pixels_, weights_of(m)}; });
  }

  void operator()(const SoftMasks& masks) {
    dense([&](int64_t m) { return DenseMask{nullptr, masks.data + m * pixels_}; });
  }

  void operator()(const BitMasks& masks) {
    const int64_t bytes = int64_t{rows_.pixels} * ((int64_t{cols_.pixels} + 7) / 8);
    if (!pixel_weights_.data) {
      return dense([&](int64_t m) { return DenseMask{masks.data + m * bytes, nullptr, true}; });
    }
    expanded([&](int64_t m, uint8_t* to) {
      expand(masks.data + m * bytes, rows_.pixels, cols_.pixels, to);
    });
  }

  void operator()(const std::vector<RunLengths>& masks) {
    for (int64_t m = begin_; m < begin_ + n_; ++m) check_runs(masks[m], m);
    if (pixel_weights_.data) {
      return expanded(
          [&](int64_t m, uint8_t* to) { expand(masks[m], rows_.pixels, cols_.pixels, to); });
    }
    pool_.parallel_for(n_, [&](int64_t first, int64_t last) {
      std::vector<float> sums(cells_);
      std::vector<Moments> moments(rows_.size());
      BandWeights band(cols_, rows_);
      for (int64_t m = first; m < last; ++m) {
        const Pushed pushed =
            push_runs(masks[begin_ + m], rows_, cols_, band, moments.data(), sums.data());
        write(m, pushed, {sums.data(), 1, rows_.patches});
      }
    });
  }

  void operator()(const LabelMap& map) {
    check_labels(map);
    if (pixel_weights_.data) check_pixel_weights();
    const Labels labels{map.data, pixel_weights_.data, pixel_weights_.per_mask ? pixels_ : 0};
    // Every thread reads the whole map and keeps its share of the ids.
    const int64_t shares = std::min<int64_t>(pool_.threads(), n_);
    pool_.parallel_for(shares, [&](int64_t share, int64_t end) {
      const int64_t first = n_ * share / shares, last = n_ * end / shares;
      std::vector<Pushed> pushed(last - first);
      std::vector<float> sums(cells_);
      push_labels(labels, begin_ + first, last - first, rows_, cols_, weights_ + first * cells_,
                  pushed.data());
      for (int64_t m = first; m < last; ++m) {
        std::copy_n(weights_ + m * cells_, cells_, sums.data());
        write(m, pushed[m - first], {sums.data(), cols_.patches, 1});
      }
    });
  }

 private:
  const float* weights_of(int64_t m) const {
    if (!pixel_weights_.data) return nullptr;
    return pixel_weights_.data + (pixel_weights_.per_mask ? m * pixels_ : 0);
  }

  // `mask_of(m)` is mask m.
  template <class MaskOf>
  void dense(const MaskOf& mask_of) {
    pool_.parallel_for(n_, [&](int64_t first, int64_t last) {
      std::vector<float> sums(cells_);
      DenseScratch scratch(rows_, cols_);
      for (int64_t m = first; m < last; ++m) {
        const Pushed pushed = push_dense(mask_of(begin_ + m), rows_, cols_, scratch, sums.data());
        write(m, pushed, {sums.data(), cols_.patches, 1});
      }
    });
  }

  // Weighted masks of other forms: `expand_to(m, pixels)` writes mask m as bytes.
  template <class ExpandTo>
  void expanded(const ExpandTo& expand_to) {
    pool_.parallel_for(n_, [&](int64_t first, int64_t last) {
      std::vector<float> sums(cells_);
      std::vector<uint8_t> bytes(pixels_);
      DenseScratch scratch(rows_, cols_);
      for (int64_t m = first; m < last; ++m) {
        expand_to(begin_ + m, bytes.data());
        const DenseMask mask{bytes.data(), weights_of(begin_ + m)};
        const Pushed pushed = push_dense(mask, rows_, cols_, scratch, sums.data());
        write(m, pushed, {sums.data(), cols_.patches, 1});
      }
    });
  }

  void check_runs(const RunLengths& mask, int64_t m) const {
    uint64_t sum = 0;
    for (int64_t i = 0; i < mask.size; ++i) sum += mask.counts[i];
    if (sum == static_cast<uint64_t>(pixels_)) return;
    throw MaskError("the runs of mask " + std::to_string(m) + " sum to " + std::to_string(sum) +
                    ", expected " + std::to_string(rows_.pixels) + " x " +
                    std::to_string(cols_.pixels) + " = " + std::to_string(pixels_) +
                    ": pass masks of the image's size");
  }

  void check_labels(const LabelMap& map) const {
    int32_t largest = -1;
    for (int64_t i = 0; i < pixels_; ++i) largest = std::max(largest, map.data[i]);
    if (largest < map.count) return;
    throw MaskError("the label map has id " + std::to_string(largest) + ", expected less than " +
                    std::to_string(map.count) + ": raise the number of masks or use negative ids");
  }

  // Those of a label map, which does not reach all of them; the other forms read every weight.
  void check_pixel_weights() const {
    const float* from = weights_of(begin_);
    std::atomic<bool> valid{true};
    pool_.parallel_for(pixel_weights_.per_mask ? n_ : 1, [&](int64_t first, int64_t last) {
      if (!are_weights(from + first * pixels_, (last - first) * pixels_)) valid = false;
    });
    if (!valid) throw_invalid();
  }

  [[noreturn]] static void throw_invalid() {
    throw MaskError("weights of masks must be finite and not negative");
  }

  // Weights of mask m, divided by their total, in the order of the features.
  void write(int64_t m, const Pushed& pushed, const Sums& sums) {
    if (!pushed.valid) throw_invalid();
    if (!std::isfinite(pushed.total)) {
      throw MaskError("the weights of mask " + std::to_string(begin_ + m) +
                      " sum to more than a float32 holds: scale them down");
    }
    area_[m] = pushed.area;
    const auto scale = static_cast<float>(pushed.total > 0 ? 1 / pushed.total : 0);
    float* to = weights_ + m * cells_;
    for (int wy = 0; wy < row_axis_.windows; ++wy) {
      for (int wx = 0; wx < col_axis_.windows; ++wx) {
        for (int y = wy * row_axis_.grid; y < (wy + 1) * row_axis_.grid; ++y) {
          const float* from =
              sums.data + y * sums.row_stride + wx * col_axis_.grid * sums.col_stride;
          for (int x = 0; x < col_axis_.grid; ++x) *to++ = from[x * sums.col_stride] * scale;
        }
      }
    }
  }

  int64_t begin_, n_;
  const PixelWeights& pixel_weights_;
  const AxisWeights &row_axis_, &col_axis_;
  Segments rows_, cols_;
  int64_t cells_, pixels_;
  float* weights_;
  int64_t* area_;
  ThreadPool& pool_;
};

}  // namespace

int64_t count(const Masks& masks) {
  struct Count {
    int64_t operator()(const ByteMasks& form) const { return form.count; }
    int64_t operator()(const BitMasks& form) const { return form.count; }
    int64_t operator()(const LabelMap& form) const { return form.count; }
    int64_t operator()(const SoftMasks& form) const { return form.count; }
    int64_t operator()(const std::vector<RunLengths>& form) const {
      return static_cast<int64_t>(form.size());
    }
  };
  return std::visit(Count{}, masks);
}

void mask_weights(const Masks& masks, const PixelWeights& pixel_weights, int64_t begin, int64_t n,
                  const AxisWeights& rows, const AxisWeights& cols, float* weights, int64_t* area,
                  ThreadPool& pool) {
  const int64_t total = count(masks);
  if (begin < 0 || n < 0 || begin + n > total || rows.rows < 1 || cols.rows < 1) {
    throw ShapeError("got masks " + std::to_string(begin) + " to " + std::to_string(begin + n) +
                     " of " + std::to_string(total) + ", of " + std::to_string(rows.rows) + " x " +
                     std::to_string(cols.rows) + " pixels; expected at least 1 x 1 pixels");
  }
  if (n == 0) return;
  std::visit(Push(begin, n, pixel_weights, rows, cols, weights, area, pool), masks);
}

}  // namespace vocabseg::kernels
