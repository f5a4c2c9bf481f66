#include "kernels/label_decoding/label_vote.h"

#include <cmath>
#include <limits>
#include <string>

#include "kernels/label_decoding/options.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// Adds exp(scale * score) to a running sum that is stored relative to its largest term.
void add_exp(float score, float scale, float& peak, float& sum) {
  if (std::isnan(score) || score == kLowest) return;
  if (score == peak) {
    sum += 1;
  } else if (score > peak) {
    sum = sum * std::exp(scale * (peak - score)) + 1;
    peak = score;
  } else {
    sum += std::exp(scale * (score - peak));
  }
}

}  // namespace

LabelVote::LabelVote(int64_t pixels, int queries, const DecodeOptions& options, bool probabilities,
                     ThreadPool& pool)
    : pixels_(pixels),
      queries_(queries),
      options_(options),
      probabilities_(probabilities || options.threshold > 0),
      pool_(pool),
      best_(pixels, kLowest),
      winner_(pixels, -1) {
  check_options(options, queries);
  if (!probabilities_) return;
  peak_.assign(pixels, kLowest);
  sum_.assign(pixels, 0);
}

void LabelVote::add(int query, const float* scores) {
  if (query < 0 || query >= queries_) {
    throw ShapeError("got query " + std::to_string(query) + " of " + std::to_string(queries_));
  }
  const int32_t label = options_.query_to_class[query];
  const bool may_win = enabled(options_, label);
  pool_.parallel_for(pixels_, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (probabilities_) add_exp(scores[i], options_.logit_scale, peak_[i], sum_[i]);
      const bool tie = scores[i] == best_[i] && label < winner_[i];
      if (!may_win || !(scores[i] > best_[i] || tie)) continue;
      best_[i] = scores[i];
      winner_[i] = label;
    }
  });
}

template <class Label>
void LabelVote::finish(Label* labels, float* class_scores) const {
  check_label_type<Label>(options_);
  if (class_scores && !probabilities_) {
    throw ShapeError("class scores were asked for, but the vote was made without probabilities");
  }
  pool_.parallel_for(pixels_, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float score = 0;
      if (probabilities_ && winner_[i] >= 0) {
        const float distance = best_[i] == peak_[i] ? 0 : best_[i] - peak_[i];
        score = std::exp(options_.logit_scale * distance) / sum_[i];
      }
      const bool labelled = winner_[i] >= 0 && score >= options_.threshold;
      labels[i] = static_cast<Label>(labelled ? winner_[i] : options_.unlabeled);
      if (class_scores) class_scores[i] = score;
    }
  });
}

template void LabelVote::finish<uint8_t>(uint8_t*, float*) const;
template void LabelVote::finish<uint16_t>(uint16_t*, float*) const;

}  // namespace vocabseg::kernels
