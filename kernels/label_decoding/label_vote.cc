#include "kernels/label_decoding/label_vote.h"

#include <algorithm>
#include <limits>
#include <string>

#include "kernels/label_decoding/options.h"
#include "vocabseg/error.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/label_decoding/label_vote.cc"
#include <hwy/foreach_target.h>
// The order matters: after foreach_target.h.
#include <hwy/highway.h>

#include "kernels/label_decoding/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr int64_t kLanes = HWY_LANES(float);

// low - high, where infinity minus infinity counts as 0.
HWY_INLINE V difference(V low, V high) {
  return hn::IfThenZeroElse(hn::Eq(low, high), hn::Sub(low, high));
}

// Adds exp(scale * score) to a running sum that is stored relative to its largest term.
void add_terms(const float* HWY_RESTRICT scores, int64_t n, float scale, float* HWY_RESTRICT peak,
               float* HWY_RESTRICT sum) {
  const D d;
  const ExpOfProduct exp(scale);
  const V none = hn::Set(d, -std::numeric_limits<float>::infinity()), one = hn::Set(d, 1.0f);
  for (int64_t i = 0; i < n; i += kLanes) {
    const V score = hn::LoadU(d, scores + i);
    const V old_peak = hn::LoadU(d, peak + i), old_sum = hn::LoadU(d, sum + i);
    const auto counts = hn::Gt(score, none);  // not NaN either
    const V safe = hn::IfThenElse(counts, score, old_peak);
    const V new_peak = hn::Max(safe, old_peak);
    const V term = exp(difference(hn::Min(safe, old_peak), new_peak));
    const V raised = hn::MulAdd(old_sum, term, one), added = hn::Add(old_sum, term);
    const V new_sum = hn::IfThenElse(hn::Gt(safe, old_peak), raised, added);
    hn::StoreU(new_peak, d, peak + i);
    hn::StoreU(hn::IfThenElse(counts, new_sum, old_sum), d, sum + i);
  }
}

void compare(const float* HWY_RESTRICT scores, int64_t n, int32_t label, float* HWY_RESTRICT best,
             int32_t* HWY_RESTRICT winner) {
  const D d;
  const hn::RebindToSigned<D> di;
  const auto labels = hn::Set(di, label);
  for (int64_t i = 0; i < n; i += kLanes) {
    const V score = hn::LoadU(d, scores + i), old_best = hn::LoadU(d, best + i);
    const auto old_winner = hn::LoadU(di, winner + i);
    const auto tie =
        hn::And(hn::RebindMask(di, hn::Eq(score, old_best)), hn::Gt(old_winner, labels));
    const auto wins = hn::Or(hn::RebindMask(di, hn::Gt(score, old_best)), tie);
    hn::StoreU(hn::IfThenElse(hn::RebindMask(d, wins), score, old_best), d, best + i);
    hn::StoreU(hn::IfThenElse(wins, labels, old_winner), di, winner + i);
  }
}

// probability [n]: of the winners.
void probabilities(const float* HWY_RESTRICT best, const float* HWY_RESTRICT peak,
                   const float* HWY_RESTRICT sum, int64_t n, float scale,
                   float* HWY_RESTRICT probability) {
  const D d;
  const ExpOfProduct exp(scale);
  const V none = hn::Set(d, -std::numeric_limits<float>::infinity());
  for (int64_t i = 0; i < n; i += kLanes) {
    const V score = hn::LoadU(d, best + i);
    const V term = exp(difference(score, hn::LoadU(d, peak + i)));
    const V share = hn::Div(term, hn::LoadU(d, sum + i));
    hn::StoreU(hn::IfThenElseZero(hn::Gt(score, none), share), d, probability + i);
  }
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(add_terms);
HWY_EXPORT(compare);
HWY_EXPORT(probabilities);

namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();
// Pixels are worked on in blocks of whole vectors; the arrays have room for the last one.
constexpr int64_t kBlock = 64;

int64_t blocks_of(int64_t pixels) { return (pixels + kBlock - 1) / kBlock; }

}  // namespace

LabelVote::LabelVote(int64_t pixels, int queries, const DecodeOptions& options, bool probabilities,
                     ThreadPool& pool)
    : pixels_(pixels),
      queries_(queries),
      options_(options),
      probabilities_(probabilities || options.threshold > 0),
      pool_(pool),
      best_(blocks_of(pixels) * kBlock, kLowest),
      winner_(best_.size(), -1) {
  check_options(options, queries);
  if (!probabilities_) return;
  peak_.assign(best_.size(), kLowest);
  sum_.assign(best_.size(), 0);
}

void LabelVote::add(int query, const float* scores) {
  if (query < 0 || query >= queries_) {
    throw ShapeError("got query " + std::to_string(query) + " of " + std::to_string(queries_));
  }
  pool_.parallel_for(blocks_of(pixels_), [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kBlock, whole = std::min(end * kBlock, pixels_ / kBlock * kBlock);
    add_pixels(query, scores + first, first, whole - first);
    if (whole == end * kBlock) return;
    float rest[kBlock];
    std::fill_n(rest, kBlock, std::numeric_limits<float>::quiet_NaN());
    std::copy(scores + whole, scores + pixels_, rest);
    add_pixels(query, rest, whole, kBlock);
  });
}

void LabelVote::add_pixels(int query, const float* scores, int64_t first, int64_t n) {
  if (probabilities_) {
    HWY_DYNAMIC_DISPATCH(add_terms)
    (scores, n, options_.logit_scale, peak_.data() + first, sum_.data() + first);
  }
  const int32_t label = options_.query_to_class[query];
  if (!enabled(options_, label)) return;
  HWY_DYNAMIC_DISPATCH(compare)(scores, n, label, best_.data() + first, winner_.data() + first);
}

template <class Label>
void LabelVote::finish(Label* labels, float* class_scores) const {
  check_label_type<Label>(options_);
  if (class_scores && !probabilities_) {
    throw ShapeError("class scores were asked for, but the vote was made without probabilities");
  }
  pool_.parallel_for(blocks_of(pixels_), [&](int64_t begin, int64_t end) {
    float probability[kBlock] = {};
    for (int64_t first = begin * kBlock; first < end * kBlock; first += kBlock) {
      if (probabilities_) {
        HWY_DYNAMIC_DISPATCH(probabilities)
        (&best_[first], &peak_[first], &sum_[first], kBlock, options_.logit_scale, probability);
      }
      const int64_t n = std::min(kBlock, pixels_ - first);
      for (int64_t i = 0; i < n; ++i) {
        const int32_t label = winner_[first + i];
        const bool labelled = label >= 0 && probability[i] >= options_.threshold;
        labels[first + i] = static_cast<Label>(labelled ? label : options_.unlabeled);
      }
      if (class_scores) std::copy_n(probability, n, class_scores + first);
    }
  });
}

template void LabelVote::finish<uint8_t>(uint8_t*, float*) const;
template void LabelVote::finish<uint16_t>(uint16_t*, float*) const;

}  // namespace vocabseg::kernels
#endif
