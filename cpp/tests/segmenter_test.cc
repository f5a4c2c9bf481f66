#include "vocabseg/segmenter.hpp"

#include <cmath>

#include "segmenter_fixture.hpp"

namespace vocabseg::test {
namespace {

SegmentOptions with_scores() {
  SegmentOptions options;
  options.scores = true;
  return options;
}

TEST_F(SegmenterTest, LabelsColours) {
  Segmenter segmenter = make();
  segmenter.set_vocabulary(colour_vocabulary({0, 1, 2}));
  const Stripes image(96, 64, {kRed, kGreen, kBlue});
  const Segmentation out = segmenter.segment(image.view(), with_scores());
  EXPECT_EQ(out.height, 64);
  EXPECT_EQ(out.width, 96);
  EXPECT_EQ(out.scores.size(), 96u * 64u);
  EXPECT_EQ(out.backend, "colour/float32");
  for (const int y : {0, 31, 63}) {
    EXPECT_EQ(out.label(y, 5), 0);
    EXPECT_EQ(out.label(y, 48), 1);
    EXPECT_EQ(out.label(y, 90), 2);
  }
  ASSERT_EQ(out.timing.size(), 5u);
  EXPECT_EQ(out.timing.front().first, "preprocess");
  EXPECT_EQ(out.timing.back().first, "total");
}

TEST_F(SegmenterTest, StridesAndAlpha) {
  Segmenter segmenter = make();
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  const Stripes image(64, 40, {kRed, kGreen});
  std::vector<uint8_t> rgba;
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    rgba.insert(rgba.end(), {image.pixels[i], image.pixels[i + 1], image.pixels[i + 2], 7});
  }
  const auto expected = segmenter.segment(image.view()).labels;
  EXPECT_EQ(segmenter.segment({rgba.data(), 64, 40, 0, 4}).labels, expected);
  // Bottom-up: the first row is the last one in memory; all rows are equal here.
  EXPECT_EQ(segmenter.segment({rgba.data() + 39 * 256, 64, 40, -256, 4}).labels, expected);
}

TEST_F(SegmenterTest, BackgroundAndThresholdMeanUnlabelled) {
  Segmenter segmenter = make();
  segmenter.set_vocabulary(colour_vocabulary({0, 1}, {0}));
  const Stripes image(96, 32, {kRed, kGreen, kBlue});
  SegmentOptions options;
  options.threshold = 0.6f;  // blue is as far from red as from green
  const Segmentation out = segmenter.segment(image.view(), options);
  EXPECT_EQ(out.unlabeled, 255);
  EXPECT_EQ(out.label(16, 4), 255);
  EXPECT_EQ(out.label(16, 48), 1);
  EXPECT_EQ(out.label(16, 92), 255);
}

TEST_F(SegmenterTest, SynonymsShareAClass) {
  Segmenter segmenter = make();
  Vocabulary vocabulary = colour_vocabulary({0, 1, 2});
  vocabulary.words.names.pop_back();
  vocabulary.words.query_to_class = {0, 1, 0};
  segmenter.set_vocabulary(vocabulary);
  const Stripes image(96, 32, {kRed, kGreen, kBlue});
  const Segmentation out = segmenter.segment(image.view());
  EXPECT_EQ(out.label(16, 4), 0);
  EXPECT_EQ(out.label(16, 48), 1);
  EXPECT_EQ(out.label(16, 92), 0);
}

TEST_F(SegmenterTest, ManyClassesNeedSixteenBits) {
  Segmenter segmenter = make();
  std::vector<int> colours(256, 3);
  colours[255] = 0;
  segmenter.set_vocabulary(colour_vocabulary(colours));
  const Segmentation out = segmenter.segment(Stripes(32, 32, {kRed}).view());
  EXPECT_EQ(out.unlabeled, 65535);
  EXPECT_EQ(std::get<std::vector<uint16_t>>(out.labels).front(), 255);
}

TEST_F(SegmenterTest, AreaThresholdSwitchesSmallClassesOff) {
  // Eight stripes of 16 pixels: seven red, one green, which is 1/8 of the foreground.
  const Stripes image(128, 32, {kRed, kRed, kRed, kRed, kRed, kRed, kGreen, kRed});
  for (const auto& [threshold, expected] : {std::pair(0.05, 1), std::pair(0.3, 0)}) {
    Segmenter segmenter =
        make(with_steps({{{"name", "area_threshold"}, {"threshold", threshold}}}));
    segmenter.set_vocabulary(colour_vocabulary({0, 1}));
    EXPECT_EQ(segmenter.segment(image.view()).label(16, 104), expected) << threshold;
  }
}

TEST_F(SegmenterTest, AreaThresholdLeavesBackgroundAlone) {
  const Stripes image(128, 32, {kRed, kRed, kRed, kRed, kRed, kRed, kGreen, kRed});
  Segmenter segmenter = make(with_steps({{{"name", "area_threshold"}, {"threshold", 0.3}}}));
  segmenter.set_vocabulary(colour_vocabulary({0, 1}, {0}));
  const Segmentation out = segmenter.segment(image.view());
  EXPECT_EQ(out.label(16, 104), 1);  // all of the foreground
  EXPECT_EQ(out.label(16, 4), 255);
}

TEST_F(SegmenterTest, PamrSharpensTowardsTheImage) {
  const nlohmann::json pamr = {{{"name", "pamr"}, {"steps", 10}, {"dilations", {1, 2}}}};
  const Stripes image(50, 32, {kRed, kGreen});  // the border is inside a patch
  const auto wrong = [&](const nlohmann::json& manifest) {
    Segmenter segmenter = make(manifest);
    segmenter.set_vocabulary(colour_vocabulary({0, 1}));
    const Segmentation out = segmenter.segment(image.view());
    int count = 0;
    for (int x = 0; x < 50; ++x) count += out.label(16, x) != (x >= 25);
    return count;
  };
  EXPECT_LE(wrong(with_steps(pamr)), wrong(tiny_manifest()));
  EXPECT_LE(wrong(with_steps(pamr)), 1);
}

TEST_F(SegmenterTest, ThreadsDoNotChangeAnything) {
  const Stripes image(117, 61, {kRed, kGreen, kBlue, kGreen, kRed});
  std::vector<Segmentation> results;
  for (const int threads : {1, 2, 3, 7}) {
    Segmenter segmenter = make(tiny_manifest(), threads);
    segmenter.set_vocabulary(colour_vocabulary({0, 1, 2}));
    results.push_back(segmenter.segment(image.view(), with_scores()));
    EXPECT_EQ(results.back().labels, results.front().labels) << threads;
    EXPECT_EQ(results.back().scores, results.front().scores) << threads;
  }
}

TEST_F(SegmenterTest, FramesOfChangingSize) {
  Segmenter segmenter = make();
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  for (const auto& [width, height] : {std::pair(64, 32), std::pair(1, 1), std::pair(37, 90)}) {
    const Stripes image(width, height, {kGreen});
    const Segmentation out = segmenter.segment(image.view());
    EXPECT_EQ(out.label(height - 1, width - 1), 1);
  }
}

TEST_F(SegmenterTest, FeaturesOfOneWindowAreItsPatches) {
  Segmenter segmenter = make();
  const Stripes image(kWindow, kWindow, {kRed, kGreen});
  const FeatureMap map = segmenter.features(image.view());
  EXPECT_EQ(map.height, kGrid);
  EXPECT_EQ(map.width, kGrid);
  EXPECT_EQ(map.dim, kDim);
  const float unit = 1 / std::sqrt(1.01f);
  EXPECT_NEAR(map.features[0], unit, 1e-6);                       // patch (0, 0) is red
  EXPECT_NEAR(map.features[(kGrid - 1) * kDim + 1], unit, 1e-6);  // the last one is green
}

}  // namespace
}  // namespace vocabseg::test
