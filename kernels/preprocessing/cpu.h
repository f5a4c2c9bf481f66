// From a frame to the normalised windows that the image engine reads.
#pragma once

#include <cstdint>

#include "kernels/common/float_types.h"
#include "kernels/common/image_view.h"
#include "kernels/common/thread_pool.h"
#include "kernels/common/window_plan.h"

namespace vocabseg::kernels {

enum class Resize {
  kBilinear,          // cv2.INTER_LINEAR on uint8: no antialias, 11-bit coefficients
  kBicubicAntialias,  // PIL's BICUBIC on uint8: antialias, 22-bit coefficients, uint8 between the
                      // passes
};

// Resize to the plan's network size, then cut, normalise as (value - mean) / std per channel (red,
// green, blue; mean and std on the 0..255 scale), round to `type` and zero-pad every window:
// windows [W, 3, padded_h, padded_w]. Throws ShapeError where the frame is not the plan's.
void preprocess(const ImageView& image, const WindowPlan& plan, Resize resize, const float mean[3],
                const float std[3], FloatType type, void* windows, ThreadPool& pool);
// The same for an NV12 frame, first converted as OpenCV's COLOR_YUV2RGB_NV12 does.
void preprocess(const Nv12View& image, const WindowPlan& plan, Resize resize, const float mean[3],
                const float std[3], FloatType type, void* windows, ThreadPool& pool);

}  // namespace vocabseg::kernels
