#include "kernels/label_decoding/label_vote.h"
#include "kernels/label_decoding/region_vote.h"
#include "targets.hpp"

namespace vocabseg::fuzz {
namespace {

template <class Label>
Output decode(const std::vector<float>& scores, const Weights& axes, const Decoding& decoding,
              bool with_scores, kernels::ThreadPool& pool) {
  std::vector<Label> labels(axes.pixels());
  std::vector<float> class_scores(with_scores ? axes.pixels() : 0);
  kernels::decode_labels(scores.data(), decoding.queries, axes.rows, axes.cols, decoding.options,
                         labels.data(), with_scores ? class_scores.data() : nullptr, pool);
  expect_labels(labels, decoding.options);
  Output output;
  output.add(labels);
  output.add(class_scores);
  return output;
}

// Up-samples one query after the other, votes, and gives each region one label.
template <class Label>
Output vote(const std::vector<float>& scores, const Weights& axes, const Decoding& decoding,
            const std::vector<int32_t>& regions, bool with_scores, int bad_query,
            kernels::ThreadPool& pool) {
  const int64_t pixels = axes.pixels();
  std::vector<Label> labels(pixels);
  std::vector<float> map(pixels), class_scores(with_scores ? pixels : 0);
  kernels::LabelVote votes(pixels, decoding.queries, decoding.options, with_scores, pool);
  for (int query = 0; query < decoding.queries; ++query) {
    kernels::upsample_scores(scores.data(), decoding.queries, query + bad_query, axes.rows,
                             axes.cols, map.data(), pool);
    votes.add(query + bad_query, map.data());
  }
  float* const out = with_scores ? class_scores.data() : nullptr;
  votes.finish(labels.data(), out);
  expect_labels(labels, decoding.options);
  kernels::vote_regions(regions.data(), pixels, decoding.options.classes,
                        decoding.options.unlabeled, labels.data(), out);
  expect_labels(labels, decoding.options);
  Output output;
  output.add(labels);
  output.add(class_scores);
  return output;
}

}  // namespace

Output label_decoding(Bytes& input, kernels::ThreadPool& pool) {
  const Decoding decoding(input);
  const Weights axes = weights(input);
  const bool with_scores = input.chance(128), bytes = input.chance(192);
  const std::vector<float> scores = input.floats(axes.patches() * decoding.queries);
  return bytes ? decode<uint8_t>(scores, axes, decoding, with_scores, pool)
               : decode<uint16_t>(scores, axes, decoding, with_scores, pool);
}

Output label_vote(Bytes& input, kernels::ThreadPool& pool) {
  const Decoding decoding(input);
  const Weights axes = weights(input);
  const bool with_scores = input.chance(128), bytes = input.chance(192);
  const int bad_query = input.chance(8) ? 1 : 0;
  const int largest =
      input.chance(8) ? kernels::kMaxRegions : static_cast<int>(input.integer(0, 20));
  const std::vector<int32_t> regions = input.integers(axes.pixels(), -2, largest);
  const std::vector<float> scores = input.floats(axes.patches() * decoding.queries);
  return bytes ? vote<uint8_t>(scores, axes, decoding, regions, with_scores, bad_query, pool)
               : vote<uint16_t>(scores, axes, decoding, regions, with_scores, bad_query, pool);
}

}  // namespace vocabseg::fuzz
