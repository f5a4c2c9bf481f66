// Labels of scores that are refined at full resolution.
#pragma once

#include <cstdint>
#include <functional>

#include "kernels/common/axis_weights.h"
#include "kernels/common/thread_pool.h"
#include "kernels/label_decoding/cpu.h"
#include "kernels/pamr/cpu.h"

namespace vocabseg {

// As kernels::decode_labels, with `steps` of `refiner` between up-sampling and everything else. A
// few score maps exist at a time. `check` is called between them, and may throw. Label is uint8_t
// or uint16_t.
template <class Label>
void decode_refined(const float* scores, int queries, const kernels::AxisWeights& rows,
                    const kernels::AxisWeights& cols, kernels::Pamr& refiner, int steps,
                    const kernels::DecodeOptions& options, Label* labels, float* class_scores,
                    kernels::ThreadPool& pool, const std::function<void()>& check);

}  // namespace vocabseg
