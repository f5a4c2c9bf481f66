#include "refined_labels.hpp"

#include <algorithm>
#include <vector>

#include "kernels/label_decoding/label_vote.h"

namespace vocabseg {

template <class Label>
void decode_refined(const float* scores, int queries, const kernels::AxisWeights& rows,
                    const kernels::AxisWeights& cols, kernels::Pamr& refiner, int steps,
                    const kernels::DecodeOptions& options, Label* labels, float* class_scores,
                    kernels::ThreadPool& pool, const std::function<void()>& check) {
  const int64_t pixels = int64_t{rows.rows} * cols.rows;
  kernels::LabelVote vote(pixels, queries, options, class_scores != nullptr, pool);
  const int group = std::min(queries, static_cast<int>(kernels::Pamr::kGroup));
  std::vector<float> maps(static_cast<size_t>(group * pixels));
  for (int first = 0; first < queries; first += group) {
    check();
    const int count = std::min(group, queries - first);
    for (int i = 0; i < count; ++i) {
      kernels::upsample_scores(scores, queries, first + i, rows, cols, maps.data() + i * pixels,
                               pool);
    }
    refiner.refine(maps.data(), count, steps);
    for (int i = 0; i < count; ++i) vote.add(first + i, maps.data() + i * pixels);
  }
  vote.finish(labels, class_scores);
}

template void decode_refined<uint8_t>(const float*, int, const kernels::AxisWeights&,
                                      const kernels::AxisWeights&, kernels::Pamr&, int,
                                      const kernels::DecodeOptions&, uint8_t*, float*,
                                      kernels::ThreadPool&, const std::function<void()>&);
template void decode_refined<uint16_t>(const float*, int, const kernels::AxisWeights&,
                                       const kernels::AxisWeights&, kernels::Pamr&, int,
                                       const kernels::DecodeOptions&, uint16_t*, float*,
                                       kernels::ThreadPool&, const std::function<void()>&);

}  // namespace vocabseg
