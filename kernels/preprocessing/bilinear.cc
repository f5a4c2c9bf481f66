// Bilinear resize of uint8 images in the fixed-point arithmetic of OpenCV's INTER_LINEAR.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "kernels/preprocessing/cpu.h"
#include "kernels/preprocessing/resize.h"

namespace vocabseg::kernels {
namespace {

constexpr float kOne = 1 << 11;

// Output pixel = low * low_weight + high * high_weight, weights in units of 1 / 2048.
struct Tap {
  int low, high, low_weight, high_weight;
};

Tap make_tap(int low, int high, float fraction) {
  return {low, high, static_cast<int>(std::lrint((1 - fraction) * kOne)),
          static_cast<int>(std::lrint(fraction * kOne))};
}

// Outside the image both taps fall on the border pixel. OpenCV drops the fraction there for columns
// but keeps it for rows, which rounds differently.
std::vector<Tap> make_taps(int in, int out, bool keep_border_fraction) {
  std::vector<Tap> taps;
  const double scale = 1.0 / (static_cast<double>(out) / in);
  for (int i = 0; i < out; ++i) {
    const auto source = static_cast<float>((i + 0.5) * scale - 0.5);
    const int low = static_cast<int>(std::floor(source));
    const float fraction = source - static_cast<float>(low);
    const bool border = low < 0 || low >= in - 1;
    taps.push_back(make_tap(std::clamp(low, 0, in - 1), std::clamp(low + 1, 0, in - 1),
                            border && !keep_border_fraction ? 0 : fraction));
  }
  return taps;
}

void resize_row(const uint8_t* row, int64_t pixel_stride, const std::vector<Tap>& taps, int* out) {
  for (const Tap& tap : taps) {
    const uint8_t* low = row + tap.low * pixel_stride;
    const uint8_t* high = row + tap.high * pixel_stride;
    for (int c = 0; c < 3; ++c) *out++ = low[c] * tap.low_weight + high[c] * tap.high_weight;
  }
}

void blend_rows(const int* low, const int* high, const Tap& tap, int n, uint8_t* out) {
  for (int i = 0; i < n; ++i) {
    const int sum =
        ((tap.low_weight * (low[i] >> 4)) >> 16) + ((tap.high_weight * (high[i] >> 4)) >> 16);
    out[i] = static_cast<uint8_t>((sum + 2) >> 2);
  }
}

// Rows of the image resized in width; the last two are kept, which is all that rising output rows
// need.
class ResizedRows {
 public:
  ResizedRows(const ImageView& image, const std::vector<Tap>& taps) : image_(image), taps_(taps) {
    for (auto& row : rows_) row.resize(taps.size() * 3);
  }

  const int* get(int y) {
    const int slot = y & 1;
    if (held_[slot] != y) {
      resize_row(image_row(image_, y), image_.pixel_stride, taps_, rows_[slot].data());
      held_[slot] = y;
    }
    return rows_[slot].data();
  }

 private:
  const ImageView& image_;
  const std::vector<Tap>& taps_;
  std::array<std::vector<int>, 2> rows_;
  std::array<int, 2> held_ = {-1, -1};
};

}  // namespace

void resize_bilinear_u8(const ImageView& image, uint8_t* out, int h, int w, ThreadPool& pool) {
  check_resize(image, h, w);
  const std::vector<Tap> rows = make_taps(image.height, h, true);
  const std::vector<Tap> cols = make_taps(image.width, w, false);
  pool.parallel_for(h, [&](int64_t begin, int64_t end) {
    ResizedRows resized(image, cols);
    for (int64_t y = begin; y < end; ++y) {
      const int* low = resized.get(rows[y].low);
      blend_rows(low, resized.get(rows[y].high), rows[y], w * 3, out + y * w * 3);
    }
  });
}

}  // namespace vocabseg::kernels
