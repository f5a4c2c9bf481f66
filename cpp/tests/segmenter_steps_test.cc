// Post-steps that need more than the image network's features.
#include <algorithm>
#include <initializer_list>

#include "segmenter_fixture.hpp"
#include "thrown.hpp"

namespace vocabseg::test {
namespace {

// The colour engine with an affinity of patches, by colour: 1 where they are equal, else 0.
class AffinityEngine final : public Engine {
 public:
  void run(const TensorMap& inputs, const TensorMap& outputs, Stream* stream) override {
    colours_.run(inputs, outputs, stream);
    const auto* features = static_cast<const float*>(outputs.at("features").data);
    auto* affinity = static_cast<float*>(outputs.at("affinity").data);
    const int64_t windows = outputs.at("affinity").shape[0];
    for (int64_t w = 0; w < windows; ++w, features += kPatches * kDim) {
      for (int i = 0; i < kPatches * kPatches; ++i) {
        float cosine = 0;
        for (int d = 0; d < kDim; ++d) {
          cosine += features[i / kPatches * kDim + d] * features[i % kPatches * kDim + d];
        }
        *affinity++ = cosine > 0.99f ? 1.0f : 0.0f;
      }
    }
    if (!outputs.count("class_features")) return;
    // The class token sees green only.
    auto* rows = static_cast<float*>(outputs.at("class_features").data);
    for (int64_t i = 0; i < windows * kDim; ++i) rows[i] = i % kDim == 1 ? 1.0f : 0.0f;
  }

  std::string id() const override { return "affinity/float32"; }

 private:
  ColourEngine colours_;
};

// A second pass that gives every patch the features of the patch that it shares most with.
class RegionEngine final : public Engine {
 public:
  void run(const TensorMap& inputs, const TensorMap& outputs, Stream*) override {
    const auto* shared = static_cast<const float*>(inputs.at("shared").data);
    const auto* tokens = static_cast<const float*>(inputs.at("tokens").data);
    auto* features = static_cast<float*>(outputs.at("features").data);
    for (int64_t row = 0; row < inputs.at("shared").shape[0] * kPatches; ++row) {
      const float* weights = shared + row * kPatches;
      const auto* nearest = std::max_element(weights, weights + kPatches);
      const int64_t patch = row / kPatches * kPatches + (nearest - weights);
      std::copy_n(tokens + patch * kDim, kDim, features + row * kDim);
    }
    ++runs;
  }

  std::string id() const override { return "region/float32"; }

  int runs = 0;
};

// The colour engine whose tokens are its features.
class TokenEngine final : public Engine {
 public:
  void run(const TensorMap& inputs, const TensorMap& outputs, Stream* stream) override {
    colours_.run(inputs, outputs, stream);
    const auto* features = static_cast<const float*>(outputs.at("features").data);
    const int64_t values = outputs.at("tokens").shape[0] * kPatches * kDim;
    std::copy_n(features, values, static_cast<float*>(outputs.at("tokens").data));
  }

  std::string id() const override { return "token/float32"; }

 private:
  ColourEngine colours_;
};

// A list, also of one entry.
const auto array = [](std::initializer_list<nlohmann::json> steps) {
  return nlohmann::json(std::vector<nlohmann::json>(steps));
};

nlohmann::json vote(const char* rule = "majority") {
  return {{"name", "segment_vote"}, {"eps", 0.5},  {"min_samples", 2},
          {"upsample", 4},          {"median", 3}, {"rule", rule}};
}

nlohmann::json voting_manifest(const nlohmann::json& steps) {
  nlohmann::json manifest = tiny_manifest();
  manifest["post_steps"] = steps;
  manifest["image_encoder"]["extra_outputs"] = {{"affinity", {kPatches, kPatches}},
                                                {"class_features", {kDim}}};
  return manifest;
}

class StepsTest : public SegmenterTest {
 protected:
  Segmenter make(const nlohmann::json& manifest, Engines engines) {
    write_bundle(folder_.path(), manifest);
    Settings settings;
    settings.threads = 2;
    return Segmenter(Bundle::open(folder_.path()), std::move(engines), settings);
  }

  Segmenter voter(const nlohmann::json& steps) {
    return make(voting_manifest(steps), {std::make_unique<AffinityEngine>(), nullptr});
  }

  void expect_error(const nlohmann::json& manifest, const std::string& text) {
    write_bundle(folder_.path(), manifest);
    const std::string message = thrown<BundleError>([this] { Bundle::open(folder_.path()); });
    EXPECT_NE(message.find(text), std::string::npos) << message;
  }
};

TEST_F(StepsTest, SegmentsAreColours) {
  Segmenter segmenter = voter(array({vote()}));
  const Stripes image(32, 32, {kRed, kGreen});
  const Segments out = segmenter.segments(image.view());
  EXPECT_EQ(out.count, 2);
  EXPECT_EQ(out.backend, "affinity/float32");
  for (int x = 0; x < 32; ++x) EXPECT_EQ(out.ids[10 * 32 + x], x < 16 ? 0 : 1) << x;
}

TEST_F(StepsTest, EveryWindowHasItsSegments) {
  Segmenter segmenter = voter(array({vote()}));
  const Stripes image(64, 32, {kRed, kGreen});  // three windows, the middle one with both colours
  const Segments out = segmenter.segments(image.view());
  ASSERT_EQ(out.count, 4);
  // Own pixels of the windows: up to 24, up to 40, the rest.
  for (const auto& [x, id] :
       {std::pair{0, 0}, {23, 0}, {24, 1}, {31, 1}, {32, 2}, {39, 2}, {41, 3}}) {
    EXPECT_EQ(out.ids[x], id) << x;
  }
}

TEST_F(StepsTest, ASegmentTakesOneClass) {
  for (const char* rule : {"majority", "mean"}) {
    Segmenter segmenter = voter(array({vote(rule)}));
    segmenter.set_vocabulary(colour_vocabulary({0, 1}));
    const Stripes image(32, 32, {kRed, kGreen});
    SegmentOptions options;
    options.scores = true;
    const Segmentation out = segmenter.segment(image.view(), options);
    for (int x = 0; x < 32; ++x) EXPECT_EQ(out.label(16, x), x < 16 ? 0 : 1) << x;
    EXPECT_FLOAT_EQ(out.scores[0], out.scores[10 * 32 + 5]);  // of one segment
  }
}

TEST_F(StepsTest, NoiseKeepsThePixelsLabels) {
  nlohmann::json step = vote();
  step["min_samples"] = 1000;
  Segmenter segmenter = voter(array({step}));
  const Stripes image(32, 32, {kRed, kGreen});
  EXPECT_EQ(segmenter.segments(image.view()).count, 0);
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  const Segmentation out = segmenter.segment(image.view());
  EXPECT_EQ(out.label(16, 2), 0);
  EXPECT_EQ(out.label(16, 30), 1);
}

TEST_F(StepsTest, TheClassTokenWeighsScores) {
  Segmenter segmenter = voter({vote(), {{"name", "class_token"}}});
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  const Stripes image(32, 32, {kRed, kGreen});
  const Segmentation out = segmenter.segment(image.view());
  EXPECT_EQ(out.label(16, 30), 1);
  EXPECT_EQ(out.label(16, 2), 0);  // 0 for red, less than 0.1 * 0 for green: a tie goes to red
}

TEST_F(StepsTest, OnlySomeMethodsMakeSegments) {
  Segmenter segmenter = SegmenterTest::make();
  EXPECT_THROW(segmenter.segments(Stripes(32, 32, {kRed}).view()), BundleError);
  const std::vector<float> windows(3 * kWindow * kWindow);
  const std::vector<int32_t> labels(kPatches);
  EXPECT_THROW(segmenter.encode_feedback(windows.data(), labels.data(), 1), BundleError);
}

TEST_F(StepsTest, TheSecondPassMakesTheFeatures) {
  auto second = std::make_unique<RegionEngine>();
  const RegionEngine& regions = *second;
  Segmenter segmenter =
      make(feedback_manifest(), {std::make_unique<TokenEngine>(), std::move(second)});
  const Stripes image(32, 32, {kRed, kGreen});
  EXPECT_THROW(segmenter.features(image.view()), VocabularyError);
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  const Segmentation out = segmenter.segment(image.view());
  EXPECT_EQ(regions.runs, 1);
  EXPECT_EQ(out.label(16, 2), 0);
  EXPECT_EQ(out.label(16, 30), 1);
  EXPECT_EQ(out.timing[2].first, "feedback");
  // With one word all patches are one region.
  segmenter.set_vocabulary(colour_vocabulary({0}));
  const FeatureMap map = segmenter.features(image.view());
  EXPECT_NEAR(map.features[(2 * kGrid + 3) * kDim], 1, 0.02);
}

TEST_F(StepsTest, EveryNetworkNeedsAnEngine) {
  EXPECT_THROW(make(feedback_manifest(), {std::make_unique<TokenEngine>(), nullptr}), EngineError);
  EXPECT_THROW(make(tiny_manifest(), {nullptr, nullptr}), EngineError);
}

TEST_F(StepsTest, StepsFitTheEncoders) {
  nlohmann::json manifest = voting_manifest(array({vote()}));
  manifest["image_encoder"]["extra_outputs"].erase("affinity");
  expect_error(manifest, "the output affinity");
  manifest = feedback_manifest();
  manifest.erase("feedback_encoder");
  expect_error(manifest, "a feedback_encoder");
  expect_error(voting_manifest({vote(), vote()}), "once");
  expect_error(voting_manifest(array({vote("lottery")})), "lottery");
  expect_error(
      voting_manifest({vote("mean"), {{"name", "pamr"}, {"steps", 1}, {"dilations", {1}}}}),
      "majority");
  nlohmann::json even = vote();
  even["median"] = 4;
  expect_error(voting_manifest(array({even})), "odd median");
  manifest = voting_manifest(array({vote()}));
  manifest["image_encoder"]["extra_outputs"]["affinity"] = {-1, 4};
  expect_error(manifest, "one to three lengths");
}

}  // namespace
}  // namespace vocabseg::test
