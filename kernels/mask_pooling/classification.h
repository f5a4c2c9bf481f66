// A class per region.
#pragma once

#include <cstdint>

#include "kernels/common/thread_pool.h"
#include "kernels/label_decoding/cpu.h"

namespace vocabseg::kernels {

// Labels and scores [count] of pooled features [count, d] with the area of their masks, by the
// rules of decode_labels: cosines with text [queries, d] (unit rows), softmax over queries, maximum
// per class, largest class. Without `normalize` the rows are taken as they are. A region of area 0
// is unlabelled, with score 0.
void classify_regions(const float* pooled, const int64_t* area, int64_t count, int64_t d,
                      const float* text, int queries, bool normalize, const DecodeOptions& options,
                      uint16_t* labels, float* scores, ThreadPool& pool);

}  // namespace vocabseg::kernels
