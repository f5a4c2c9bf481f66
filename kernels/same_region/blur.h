// Gaussians with a standard deviation of 5 patches; zeros outside.
#pragma once

#include <cstdint>

namespace vocabseg::kernels {

// Along n patches in a row, at most 31 at once: out [n].
void blur_line(const float* values, int64_t n, float* out);

// Over a grid [gh, gw]: out and scratch [gh * gw].
void blur_in_plane(const float* values, int gh, int gw, float* scratch, float* out);

}  // namespace vocabseg::kernels
