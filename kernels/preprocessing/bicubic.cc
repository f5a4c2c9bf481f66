// Antialiased bicubic resize of uint8 images in the fixed-point arithmetic of Pillow's BICUBIC.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/preprocessing/cpu.h"
#include "kernels/preprocessing/resize.h"

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

// Output pixel = sum of weight[k] * input[first + k], weights in units of 2^-22.
struct Filter {
  int first;
  std::vector<int> weight;
};

std::vector<Filter> make_filters(int in, int out) {
  std::vector<Filter> filters;
  const double scale = static_cast<double>(in) / out;
  const double stretch = std::max(scale, 1.0);
  const double support = kSupport * stretch;
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int last = std::min(static_cast<int>(centre + support + 0.5), in);
    std::vector<double> exact;
    double sum = 0;
    for (int k = first; k < last; ++k) {
      exact.push_back(cubic((k - centre + 0.5) * (1 / stretch)));
      sum += exact.back();
    }
    Filter filter{first, {}};
    for (double weight : exact) {
      filter.weight.push_back(static_cast<int>(std::round(weight / sum * (1 << kBits))));
    }
    filters.push_back(std::move(filter));
  }
  return filters;
}

uint8_t round_clip(int sum) { return static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255)); }

constexpr int kHalf = 1 << (kBits - 1);

void filter_row(const uint8_t* row, int64_t pixel_stride, const std::vector<Filter>& filters,
                uint8_t* out) {
  for (const Filter& filter : filters) {
    int sum[3] = {kHalf, kHalf, kHalf};
    const uint8_t* pixel = row + filter.first * pixel_stride;
    for (int weight : filter.weight) {
      for (int c = 0; c < 3; ++c) sum[c] += pixel[c] * weight;
      pixel += pixel_stride;
    }
    for (int c = 0; c < 3; ++c) *out++ = round_clip(sum[c]);
  }
}

// out [image.height, w, 3]
void resize_width(const ImageView& image, int w, uint8_t* out, ThreadPool& pool) {
  const std::vector<Filter> filters = make_filters(image.width, w);
  pool.parallel_for(image.height, [&](int64_t begin, int64_t end) {
    for (auto y = static_cast<int>(begin); y < end; ++y) {
      filter_row(image_row(image, y), image.pixel_stride, filters, out + int64_t{y} * w * 3);
    }
  });
}

// out [h, image.width, 3]
void resize_height(const ImageView& image, int h, uint8_t* out, ThreadPool& pool) {
  const std::vector<Filter> filters = make_filters(image.height, h);
  const int n = image.width * 3;
  pool.parallel_for(h, [&](int64_t begin, int64_t end) {
    std::vector<int> sum(n);
    for (int64_t y = begin; y < end; ++y) {
      std::fill(sum.begin(), sum.end(), kHalf);
      int row = filters[y].first;
      for (int weight : filters[y].weight) {
        const uint8_t* pixel = image_row(image, row++);
        for (int i = 0; i < n; i += 3, pixel += image.pixel_stride) {
          for (int c = 0; c < 3; ++c) sum[i + c] += pixel[c] * weight;
        }
      }
      for (int i = 0; i < n; ++i) out[y * n + i] = round_clip(sum[i]);
    }
  });
}

ImageView view(const std::vector<uint8_t>& pixels, int height, int width) {
  return {pixels.data(), height, width, int64_t{width} * 3};
}

}  // namespace

void resize_bicubic_antialias_u8(const ImageView& image, uint8_t* out, int h, int w,
                                 ThreadPool& pool) {
  check_resize(image, h, w);
  // Pillow rounds between the passes, and since 13 starts with the height where that falls much
  // more than the width.
  const bool height_first =
      image.height > h && int64_t{image.height} - h > 2 * (int64_t{image.width} - w);
  if (height_first) {
    std::vector<uint8_t> between(int64_t{h} * image.width * 3);
    resize_height(image, h, between.data(), pool);
    resize_width(view(between, h, image.width), w, out, pool);
  } else {
    std::vector<uint8_t> between(int64_t{image.height} * w * 3);
    resize_width(image, w, between.data(), pool);
    resize_height(view(between, image.height, w), h, out, pool);
  }
}

}  // namespace vocabseg::kernels
