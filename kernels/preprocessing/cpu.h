// From a frame to the normalised windows that the image engine reads.
#pragma once

#include <cstdint>

#include "kernels/common/image_view.h"
#include "kernels/common/thread_pool.h"
#include "kernels/common/window_plan.h"

namespace vocabseg::kernels {

enum class Resize {
  kBilinear,          // cv2.INTER_LINEAR on uint8: no antialias, 11-bit coefficients
  kBicubicAntialias,  // PIL's BICUBIC on uint8: antialias, 22-bit coefficients, uint8 between the
                      // passes
};

// Resize `image` to out [h, w, 3] uint8; equal to cv2.resize(..., INTER_LINEAR) and to
// PIL.Image.resize(..., BICUBIC). Throw ShapeError on empty images or sizes.
void resize_bilinear_u8(const ImageView& image, uint8_t* out, int h, int w, ThreadPool& pool);
void resize_bicubic_antialias_u8(const ImageView& image, uint8_t* out, int h, int w,
                                 ThreadPool& pool);

// Resize to the plan's network size, then cut, normalise as (value - mean) / std per channel (mean
// and std on the 0..255 scale) and zero-pad every window: windows [W, 3, padded_h, padded_w]
// float32.
void preprocess(const ImageView& image, const WindowPlan& plan, Resize resize, const float mean[3],
                const float std[3], float* windows, ThreadPool& pool);

}  // namespace vocabseg::kernels
