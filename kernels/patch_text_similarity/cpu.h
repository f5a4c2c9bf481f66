// Cosines of patch features and text embeddings.
#pragma once

#include <cstdint>

#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

// out[q, i] = <text[q], features[i] / |features[i]|> for one window; without `normalize` the
// division is left out. features [n, d], text [q, d] (unit rows), out [q, n], all float32. A zero
// row of features gives 0; a row with a NaN or an infinity gives NaN when normalised. Text rows are
// taken as they are.
void patch_text_similarity(const float* features, int64_t n, int64_t d, const float* text,
                           int64_t q, bool normalize, float* out, ThreadPool& pool);

}  // namespace vocabseg::kernels
