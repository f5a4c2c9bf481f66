// Antialiased bicubic resize of uint8 frames in the fixed-point arithmetic of Pillow's BICUBIC.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/preprocessing/bicubic_passes.h"
#include "kernels/preprocessing/resizer.h"

namespace vocabseg::kernels {
namespace {

constexpr int kBits = 22;
constexpr double kSupport = 2;

// Keys' cubic with a = -0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

}  // namespace

std::vector<CubicFilter> cubic_filters(int in, int out) {
  std::vector<CubicFilter> filters;
  const double scale = static_cast<double>(in) / out;
  const double stretch = std::max(scale, 1.0);
  const double support = kSupport * stretch;
  std::vector<double> exact;
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int last = std::min(static_cast<int>(centre + support + 0.5), in);
    exact.clear();
    double sum = 0;
    for (int k = first; k < last; ++k) {
      exact.push_back(cubic((k - centre + 0.5) * (1 / stretch)));
      sum += exact.back();
    }
    CubicFilter filter{first, {}};
    for (double weight : exact) {
      filter.weight.push_back(static_cast<int32_t>(std::round(weight / sum * (1 << kBits))));
    }
    filters.push_back(std::move(filter));
  }
  return filters;
}

namespace {

int taps(const CubicFilter& filter) { return static_cast<int>(filter.weight.size()); }

int most_taps(const std::vector<CubicFilter>& filters) {
  int most = 0;
  for (const CubicFilter& filter : filters) most = std::max(most, taps(filter));
  return most;
}

// A ring of rows, each in its place until `capacity` later ones are written.
class Ring {
 public:
  Ring(int capacity, int64_t length)
      : capacity_(capacity), length_(length), bytes_(static_cast<size_t>(capacity * length)) {}
  uint8_t* row(int y) { return bytes_.data() + y % capacity_ * length_; }

 private:
  int64_t capacity_, length_;
  std::vector<uint8_t> bytes_;
};

// The pass over columns, for 16 rows at a time.
class WidthPass {
 public:
  WidthPass(const Frame& frame, const std::vector<CubicFilter>& cols, int pitch)
      : frame_(frame), cols_(cols), pitch_(pitch) {
    scratch_.resize(kCubicRows * (frame.width * frame.pixel_stride + int64_t{3} * pitch));
    unused_.resize(size_t{3} * pitch);
  }

  // Row i comes from `from(i)` and goes to `to(i)`, i < count.
  template <class From, class To>
  void run(int count, const From& from, const To& to) {
    const uint8_t* rows[kCubicRows];
    uint8_t* out[kCubicRows];
    for (int i = 0; i < kCubicRows; ++i) {
      rows[i] = i < count ? from(i) : rows[0];
      out[i] = i < count ? to(i) : unused_.data();
    }
    cubic_width(rows, frame_.width, static_cast<int>(frame_.pixel_stride), cols_, pitch_,
                scratch_.data(), out);
  }

 private:
  const Frame& frame_;
  const std::vector<CubicFilter>& cols_;
  int pitch_;
  std::vector<uint8_t> scratch_, unused_;
};

class Bicubic : public Resizer {
 public:
  Bicubic(const Frame& frame, int h, int w)
      : Resizer(w),
        frame_(frame),
        rows_(cubic_filters(frame.height, h)),
        cols_(cubic_filters(frame.width, w)),
        taps_(most_taps(rows_)),
        // Pillow rounds between the passes, and since 13 starts with the height where that falls
        // much more than the width.
        height_first_(frame.height > h &&
                      int64_t{frame.height} - h > 2 * (int64_t{frame.width} - w)) {}

  void run(int begin, int end, const Sink& sink) const override {
    height_first_ ? run_height_first(begin, end, sink) : run_width_first(begin, end, sink);
  }

 private:
  void run_width_first(int begin, int end, const Sink& sink) const {
    const int64_t length = int64_t{3} * pitch_;
    FrameRows source(frame_, kCubicRows);
    WidthPass width(frame_, cols_, pitch_);
    Ring between(taps_ + kCubicRows, length);
    std::vector<const uint8_t*> rows(taps_);
    std::vector<uint8_t> out(length);
    const int limit = rows_[end - 1].first + taps(rows_[end - 1]);
    int ready = rows_[begin].first;  // rows before this one are done
    for (int y = begin; y < end; ++y) {
      const CubicFilter& filter = rows_[y];
      while (ready < filter.first + taps(filter)) {
        const int count = std::min(kCubicRows, limit - ready);
        width.run(
            count, [&](int i) { return source.get(ready + i); },
            [&](int i) { return between.row(ready + i); });
        ready += count;
      }
      for (int k = 0; k < taps(filter); ++k) rows[k] = between.row(filter.first + k);
      cubic_height(rows.data(), filter.weight.data(), taps(filter), length, out.data());
      sink(y, out.data());
    }
  }

  void run_height_first(int begin, int end, const Sink& sink) const {
    const int64_t length = (frame_.width - 1) * frame_.pixel_stride + 3;
    FrameRows source(frame_, taps_);
    WidthPass width(frame_, cols_, pitch_);
    Ring between(kCubicRows, length), out(kCubicRows, int64_t{3} * pitch_);
    std::vector<const uint8_t*> rows(taps_);
    for (int y = begin; y < end; y += kCubicRows) {
      const int count = std::min(kCubicRows, end - y);
      for (int i = 0; i < count; ++i) {
        const CubicFilter& filter = rows_[y + i];
        for (int k = 0; k < taps(filter); ++k) rows[k] = source.get(filter.first + k);
        cubic_height(rows.data(), filter.weight.data(), taps(filter), length, between.row(i));
      }
      width.run(
          count, [&](int i) { return between.row(i); }, [&](int i) { return out.row(i); });
      for (int i = 0; i < count; ++i) sink(y + i, out.row(i));
    }
  }

  const Frame& frame_;
  std::vector<CubicFilter> rows_, cols_;
  int taps_;  // the most that an output row has
  bool height_first_;
};

}  // namespace

std::unique_ptr<Resizer> bicubic_resizer(const Frame& frame, int h, int w) {
  return std::make_unique<Bicubic>(frame, h, w);
}

}  // namespace vocabseg::kernels
