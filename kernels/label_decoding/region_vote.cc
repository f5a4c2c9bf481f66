#include "kernels/label_decoding/region_vote.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

// Calls body(region, first, last) for runs of pixels of one region.
template <class Body>
void for_runs(const int32_t* regions, int64_t pixels, const Body& body) {
  for (int64_t first = 0, last = 0; first < pixels; first = last) {
    while (last < pixels && regions[last] == regions[first]) ++last;
    if (regions[first] >= 0) body(regions[first], first, last);
  }
}

struct Winner {
  int32_t label = -1;
  int64_t votes = 0;
};

// The most frequent class of some labels; `votes` [classes] is 0 before and after.
template <class Label>
Winner find_winner(const Label* begin, const Label* end, std::vector<int64_t>& votes) {
  const auto classes = static_cast<int64_t>(votes.size());
  for (const Label* label = begin; label != end; ++label) {
    if (*label < classes) ++votes[*label];
  }
  Winner winner;
  for (const Label* label = begin; label != end; ++label) {
    if (*label >= classes) continue;
    const int64_t count = std::exchange(votes[*label], 0);
    if (count == 0) continue;
    const bool lower = count == winner.votes && *label < winner.label;
    if (count > winner.votes || lower) winner = {*label, count};
  }
  return winner;
}

}  // namespace

template <class Label>
void vote_regions(const int32_t* regions, int64_t pixels, int classes, int unlabeled, Label* labels,
                  float* class_scores) {
  const int64_t ids = pixels > 0 ? int64_t{*std::max_element(regions, regions + pixels)} + 1 : 0;
  if (ids <= 0) return;
  if (ids > kMaxRegions) {
    throw MaskError("got the region id " + std::to_string(ids - 1) + ", expected less than " +
                    std::to_string(kMaxRegions) + ": number the regions from 0");
  }
  // Labels sorted by region: those of region r end at end[r].
  std::vector<int64_t> end(static_cast<size_t>(ids), 0);
  for_runs(regions, pixels,
           [&](int32_t region, int64_t first, int64_t last) { end[region] += last - first; });
  int64_t total = 0;
  for (int64_t& count : end) count = std::exchange(total, total + count);
  std::vector<Label> sorted(static_cast<size_t>(total));
  for_runs(regions, pixels, [&](int32_t region, int64_t first, int64_t last) {
    std::copy(labels + first, labels + last, sorted.begin() + end[region]);
    end[region] += last - first;
  });

  std::vector<Label> label(static_cast<size_t>(ids));
  std::vector<float> share(static_cast<size_t>(ids));
  std::vector<int64_t> votes(static_cast<size_t>(classes));
  for (int64_t region = 0, begin = 0; region < ids; begin = end[region++]) {
    const Winner winner = find_winner(sorted.data() + begin, sorted.data() + end[region], votes);
    const int64_t area = std::max<int64_t>(1, end[region] - begin);
    label[region] = static_cast<Label>(winner.votes > 0 ? winner.label : unlabeled);
    share[region] =
        static_cast<float>(static_cast<double>(winner.votes) / static_cast<double>(area));
  }
  for_runs(regions, pixels, [&](int32_t region, int64_t first, int64_t last) {
    std::fill(labels + first, labels + last, label[region]);
    if (class_scores) std::fill(class_scores + first, class_scores + last, share[region]);
  });
}

template void vote_regions<uint8_t>(const int32_t*, int64_t, int, int, uint8_t*, float*);
template void vote_regions<uint16_t>(const int32_t*, int64_t, int, int, uint16_t*, float*);

}  // namespace vocabseg::kernels
