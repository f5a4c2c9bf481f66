#include "vocabseg/segmenter.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tiny_bundle.hpp"

namespace vocabseg::test {
namespace {

class SegmenterTest : public ::testing::Test {
 protected:
  Segmenter make(const nlohmann::json& manifest = tiny_manifest(), int threads = 2,
                 std::function<void()> on_run = {}) {
    write_bundle(folder_.path(), manifest);
    Settings settings;
    settings.threads = threads;
    return Segmenter(Bundle::open(folder_.path()), std::make_unique<ColourEngine>(std::move(on_run)),
                     settings);
  }

  static nlohmann::json with_steps(const nlohmann::json& steps) {
    nlohmann::json manifest = tiny_manifest();
    manifest["post_steps"] = steps;
    return manifest;
  }

  TemporaryFolder folder_;
};

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

TEST_F(SegmenterTest, Regions) {
  Segmenter segmenter = make();
  segmenter.set_vocabulary(colour_vocabulary({0, 1, 2}, {1}));
  const Stripes image(96, 32, {kRed, kGreen, kBlue});
  std::vector<uint8_t> masks(4 * 96 * 32, 0);
  std::vector<int32_t> map(96 * 32);
  RunLengths codes(4);
  for (int x = 0; x < 96; ++x) {
    for (int y = 0; y < 32; ++y) {
      masks[(x / 32 * 32 + y) * 96 + x] = 1;
      map[y * 96 + x] = x / 32;
    }
  }
  codes = {{0, 1024, 2048}, {1024, 1024, 1024}, {2048, 1024}, {3072}};
  const auto check = [&](const Masks& value, size_t count) {
    const RegionLabels out = segmenter.classify_masks(image.view(), value);
    ASSERT_EQ(out.class_ids.size(), count);
    EXPECT_EQ(out.class_ids[0], 0);
    EXPECT_EQ(out.class_ids[1], -1);  // background
    EXPECT_GT(out.scores[1], 0.9f);
    EXPECT_EQ(out.class_ids[2], 2);
    EXPECT_EQ(out.area[2], 1024);
    EXPECT_NEAR(out.features[8 + 2], 0.99, 0.02);
    if (count < 4) return;
    EXPECT_EQ(out.class_ids[3], -1);  // empty
    EXPECT_EQ(out.scores[3], 0);
    EXPECT_EQ(out.area[3], 0);
  };
  check({32, 96, BoolMasks{masks.data(), 4}}, 4);
  check({32, 96, LabelMap{map.data(), 3}}, 3);
  check({32, 96, codes}, 4);
  EXPECT_TRUE(segmenter.classify_masks(image.view(), {32, 96, RunLengths{}}).class_ids.empty());
}

TEST_F(SegmenterTest, BadMasks) {
  Segmenter segmenter = make();
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  const Stripes image(40, 32, {kRed});
  const std::vector<uint8_t> mask(40 * 32, 1);
  EXPECT_THROW(segmenter.classify_masks(image.view(), {40, 32, BoolMasks{mask.data(), 1}}),
               MaskError);
  EXPECT_THROW(segmenter.classify_masks(image.view(), {32, 40, RunLengths{{1, 2}}}), MaskError);
}

TEST_F(SegmenterTest, FeaturesOfOneWindowAreItsPatches) {
  Segmenter segmenter = make();
  const Stripes image(kWindow, kWindow, {kRed, kGreen});
  const FeatureMap map = segmenter.features(image.view());
  EXPECT_EQ(map.height, kGrid);
  EXPECT_EQ(map.width, kGrid);
  EXPECT_EQ(map.dim, kDim);
  const float unit = 1 / std::sqrt(1.01f);
  EXPECT_NEAR(map.features[0], unit, 1e-6);                    // patch (0, 0) is red
  EXPECT_NEAR(map.features[(kGrid - 1) * kDim + 1], unit, 1e-6);  // the last one is green
}

TEST_F(SegmenterTest, Cancels) {
  Segmenter* running = nullptr;
  Segmenter segmenter = make(tiny_manifest(), 2, [&] {
    if (running) running->cancel();
  });
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  const Stripes image(64, 64, {kRed});
  segmenter.cancel();  // nothing runs, so nothing happens
  EXPECT_NO_THROW(segmenter.segment(image.view()));
  running = &segmenter;
  EXPECT_THROW(segmenter.segment(image.view()), Cancelled);
  EXPECT_THROW(segmenter.classify_masks(image.view(), {64, 64, RunLengths{{0, 4096}}}), Cancelled);
  EXPECT_THROW(segmenter.features(image.view()), Cancelled);
  running = nullptr;
  EXPECT_NO_THROW(segmenter.segment(image.view()));
}

TEST_F(SegmenterTest, WordsChangeWhileFramesRun) {
  Segmenter segmenter = make();
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  const Stripes image(64, 64, {kRed, kGreen});
  std::atomic<bool> done{false};
  std::thread other([&] {
    for (int i = 0; !done; ++i) {
      segmenter.set_vocabulary(i % 2 ? colour_vocabulary({1, 0}) : colour_vocabulary({0, 1}));
    }
  });
  std::thread second([&] {
    while (!done) segmenter.segment(image.view());
  });
  for (int i = 0; i < 50; ++i) {
    const Segmentation out = segmenter.segment(image.view());
    EXPECT_NE(out.label(32, 4), out.label(32, 60));  // one vocabulary per frame
  }
  done = true;
  other.join();
  second.join();
}

TEST_F(SegmenterTest, BadImages) {
  Segmenter segmenter = make();
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  const std::vector<uint8_t> pixels(3 * 10000);
  EXPECT_THROW(segmenter.segment({pixels.data(), 0, 5}), ImageError);
  EXPECT_THROW(segmenter.segment({pixels.data(), 5, -1}), ImageError);
  EXPECT_THROW(segmenter.segment({nullptr, 5, 5}), ImageError);
  EXPECT_THROW(segmenter.segment({pixels.data(), 1 << 20, 1 << 20}), ImageError);
}

TEST_F(SegmenterTest, TooManyWindows) {
  nlohmann::json manifest = tiny_manifest();
  manifest["window"]["long_side"] = 1 << 20;
  Segmenter segmenter = make(manifest);
  segmenter.set_vocabulary(colour_vocabulary({0}));
  for (const int width : {300, 10000}) {
    const std::vector<uint8_t> pixels(3 * static_cast<size_t>(width));
    EXPECT_THROW(segmenter.segment({pixels.data(), width, 1}), ImageError) << width;
  }
}

TEST_F(SegmenterTest, BadVocabulariesLeaveTheFormerOne) {
  Segmenter segmenter = make();
  EXPECT_THROW(segmenter.segment(Stripes(32, 32, {kRed}).view()), VocabularyError);
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  std::vector<Vocabulary> bad(6, colour_vocabulary({0, 1}));
  bad[0].dim = 3;
  bad[1].embeddings.pop_back();
  bad[2].words.query_to_class[0] = 2;
  bad[3].embeddings[0] = NAN;
  bad[4].words.background = {5};
  bad[5] = Vocabulary{};
  for (const Vocabulary& vocabulary : bad) {
    EXPECT_THROW(segmenter.set_vocabulary(vocabulary), VocabularyError);
  }
  EXPECT_THROW(segmenter.set_vocabulary({std::string("road")}), VocabularyError);  // no text tower
  EXPECT_EQ(segmenter.segment(Stripes(32, 32, {kGreen}).view()).label(0, 0), 1);
}

TEST_F(SegmenterTest, LogsTheEngine) {
  write_bundle(folder_.path(), tiny_manifest());
  std::vector<std::string> messages;
  Settings settings;
  settings.log = [&](Level, std::string_view message) { messages.emplace_back(message); };
  const Segmenter segmenter(Bundle::open(folder_.path()), std::make_unique<ColourEngine>(),
                            settings);
  ASSERT_FALSE(messages.empty());
  EXPECT_NE(messages[0].find("colour/float32"), std::string::npos);
}

TEST(Backends, NamedOneRunsOrThrows) {
  EXPECT_FALSE(backends().empty());
  EXPECT_THROW(choose_backend("abacus"), BackendUnavailable);
  for (const BackendInfo& backend : backends()) {
    EXPECT_FALSE(backend.reason.empty());
    if (backend.available) {
      EXPECT_EQ(choose_backend("auto").id, backend.id);
    } else {
      EXPECT_THROW(choose_backend(backend.id), BackendUnavailable);
    }
  }
}

}  // namespace
}  // namespace vocabseg::test
