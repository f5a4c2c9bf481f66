#include "post_steps.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "manifest_fields.hpp"

namespace vocabseg {
namespace {

using nlohmann::json;

constexpr int kMaxMedian = 31;

[[noreturn]] void bad_step(const std::string& name, const char* expected) {
  throw BundleError("manifest.json: post-step " + name + " expects " + expected +
                    "; export the bundle again with `vocabseg export`");
}

void parse_area_threshold(const json& node, PostSteps& steps) {
  steps.area_threshold = AreaThreshold{node.at("threshold").get<float>()};
}

void parse_pamr(const json& node, PostSteps& steps) {
  steps.pamr = Refinement{positive(node, "steps"), node.at("dilations").get<std::vector<int>>()};
}

void parse_feedback(const json& node, PostSteps& steps) {
  Feedback step;
  step.threshold = node.at("threshold").get<float>();
  step.logit_scale = node.at("logit_scale").get<float>();
  step.refinement.steps = node.at("pamr_steps").get<int>();
  step.refinement.dilations = node.at("dilations").get<std::vector<int>>();
  step.connected = node.at("connected").get<bool>();
  step.strict = node.at("strict").get<bool>();
  if (!(step.logit_scale > 0) || step.refinement.steps < 0) {
    bad_step("feedback", "a positive logit_scale and no negative pamr_steps");
  }
  steps.feedback = step;
}

SegmentVote::Rule parse_rule(const std::string& rule) {
  if (rule != "majority" && rule != "mean") unknown("rule", rule, "majority or mean");
  return rule == "mean" ? SegmentVote::Rule::kMean : SegmentVote::Rule::kMajority;
}

void parse_segment_vote(const json& node, PostSteps& steps) {
  SegmentVote step;
  step.eps = node.at("eps").get<float>();
  step.min_samples = positive(node, "min_samples");
  step.upsample = positive(node, "upsample");
  step.median = positive(node, "median");
  step.rule = parse_rule(node.at("rule").get<std::string>());
  if (!(step.eps > 0) || step.median % 2 == 0 || step.median > kMaxMedian) {
    bad_step("segment_vote", "a positive eps and an odd median of at most 31");
  }
  steps.segment_vote = step;
}

void parse_class_token(const json&, PostSteps& steps) { steps.class_token = true; }

struct Parser {
  const char* name;
  void (*parse)(const json&, PostSteps&);
};

constexpr Parser kParsers[] = {
    {"area_threshold", parse_area_threshold},
    {"pamr", parse_pamr},
    {"feedback", parse_feedback},
    {"segment_vote", parse_segment_vote},
    {"class_token", parse_class_token},
};

}  // namespace

PostSteps parse_post_steps(const json& steps) {
  PostSteps out;
  std::set<std::string> seen;
  for (const json& node : steps) {
    const auto name = node.at("name").get<std::string>();
    const auto* parser = std::find_if(std::begin(kParsers), std::end(kParsers),
                                      [&](const Parser& known) { return name == known.name; });
    if (parser == std::end(kParsers)) {
      unknown("post_steps", name, "area_threshold, pamr, feedback, segment_vote or class_token");
    }
    if (!seen.insert(name).second) bad_step(name, "to be given once");
    parser->parse(node, out);
  }
  if (out.pamr && out.segment_vote && out.segment_vote->rule == SegmentVote::Rule::kMean) {
    bad_step("segment_vote", "the rule \"majority\" where pamr refines the scores");
  }
  return out;
}

void check_outputs(const Manifest& manifest) {
  const auto& extra = manifest.image_encoder.extra_outputs;
  const int64_t patches = int64_t{manifest.grid_h} * manifest.grid_w;
  const auto expect = [&](const char* step, const char* name, const std::vector<int64_t>& shape) {
    const auto output = extra.find(name);
    if (output == extra.end() || output->second != shape) {
      bad_step(step, (std::string("the output ") + name + " of the image encoder").c_str());
    }
  };
  if (manifest.post_steps.segment_vote) expect("segment_vote", "affinity", {patches, patches});
  if (manifest.post_steps.class_token) {
    expect("class_token", "class_features", {manifest.embed_dim});
  }
  if (manifest.post_steps.feedback.has_value() != manifest.feedback_encoder.has_value()) {
    bad_step("feedback", "a feedback_encoder, which no other step has");
  }
}

}  // namespace vocabseg
