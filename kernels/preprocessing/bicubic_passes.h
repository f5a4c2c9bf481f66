// The two passes of the antialiased bicubic resize, on rows of bytes.
#pragma once

#include <cstdint>
#include <vector>

namespace vocabseg::kernels {

// Output i = sum over k of weight[k] * input[first + k], in units of 2^-22, rounded and clipped.
struct CubicFilter {
  int first;
  std::vector<int32_t> weight;
};

// The filters of Pillow's BICUBIC, antialiased, from `in` pixels to `out`.
std::vector<CubicFilter> cubic_filters(int in, int out);

constexpr int kCubicRows = 16;  // that the pass over columns takes together

// out[i] = weighted sum of rows[k][i], k < count, for i < length.
void cubic_height(const uint8_t* const* rows, const int32_t* weights, int count, int64_t length,
                  uint8_t* out);

// Filters 16 rows of pixels in width: out row r [3, pitch] from the pixels at rows[r], `stride`
// bytes apart. `scratch` holds 16 * (width * stride + 3 * pitch) bytes.
void cubic_width(const uint8_t* const* rows, int width, int stride,
                 const std::vector<CubicFilter>& filters, int pitch, uint8_t* scratch,
                 uint8_t* const* out);

}  // namespace vocabseg::kernels
