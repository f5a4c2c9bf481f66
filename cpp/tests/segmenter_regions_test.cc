// Masks in, a class per mask out.
#include "segmenter_fixture.hpp"

namespace vocabseg::test {
namespace {

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

}  // namespace
}  // namespace vocabseg::test
