// A frame on the fake device gives what the CPU gives, by the launches of the ops' host code.
#include "cuda/frame_fixture.hpp"

namespace vocabseg::cuda {
namespace {

class GpuFrameResults : public GpuFrameTest {
 protected:
  // Of the launches since the last call.
  nlohmann::json launched() {
    auto list = nlohmann::json::array();
    for (const auto& launch : fake().launches) {
      const LaunchArguments arguments(recorded["kernels"][launch.symbol], launch.parameters);
      list.push_back({{"kernel", launch.symbol}, {"numbers", arguments.numbers()}});
    }
    fake().launches.clear();
    return list;
  }

  nlohmann::json expected(const std::vector<std::string>& cases) const {
    auto list = nlohmann::json::array();
    for (const std::string& name : cases) {
      for (const auto& launch : recorded["launches"][name]) list.push_back(launch);
    }
    return list;
  }

  static void expect_equal(const Segmentation& got, const Segmentation& want) {
    EXPECT_EQ(got.labels, want.labels);
    EXPECT_EQ(got.unlabeled, want.unlabeled);
    ASSERT_EQ(got.scores.size(), want.scores.size());
    for (size_t i = 0; i < got.scores.size(); ++i) {
      ASSERT_NEAR(got.scores[i], want.scores[i], 1e-5) << i;
    }
  }

  void expect_equal_to_cpu(const nlohmann::json& manifest, const Vocabulary& vocabulary,
                           const FramePixels& frame_pixels, const ImageView& image,
                           const SegmentOptions& options) {
    Segmenter cpu = reference(manifest);
    cpu.set_vocabulary(vocabulary);
    const auto gpu = frame(manifest);
    gpu->set_vocabulary(vocabulary);
    fake().launches.clear();
    for (int round = 0; round < 3; ++round) {  // without a graph, capturing, with the graph
      expect_equal(gpu->segment(frame_pixels, options), cpu.segment(image, options));
    }
  }

  nlohmann::json bicubic() const {
    nlohmann::json manifest = manifest_json();
    manifest["window"]["resize"] = "bicubic";
    return manifest;
  }
};

TEST_F(GpuFrameResults, Labels) {
  expect_equal_to_cpu(manifest_json(), words({0, 1, 2}), pixels(picture), picture.view(), {});
  fake().launches.resize(3);
  EXPECT_EQ(launched(), expected({"bilinear", "labels"}));
}

TEST_F(GpuFrameResults, ScoresAndBackground) {
  SegmentOptions options;
  options.scores = true;
  expect_equal_to_cpu(manifest_json(), words({0, 1, 2}, {1}), pixels(picture), picture.view(),
                      options);
  fake().launches.resize(3);
  EXPECT_EQ(launched(), expected({"bilinear", "labels with scores"}));
  options.threshold = 0.9f;
  options.logit_scale = 3.0f;
  expect_equal_to_cpu(manifest_json(), words({0, 1, 2}), pixels(picture), picture.view(), options);
}

TEST_F(GpuFrameResults, WideLabels) {
  std::vector<int> colours(300, 4);
  colours[7] = 0, colours[280] = 1, colours[299] = 2;
  expect_equal_to_cpu(manifest_json(), words(colours, {280}), pixels(picture), picture.view(), {});
  fake().launches.resize(3);
  EXPECT_EQ(launched(), expected({"bilinear", "wide labels"}));
}

TEST_F(GpuFrameResults, Bicubic) {
  expect_equal_to_cpu(bicubic(), words({0, 1, 2}), pixels(picture), picture.view(), {});
  fake().launches.resize(5);
  EXPECT_EQ(launched(), expected({"bicubic", "labels"}));
}

TEST_F(GpuFrameResults, TallFramesAreFilteredInHeightFirst) {
  const test::Stripes tall(40, 200, {test::kRed, test::kGreen, test::kBlue});
  expect_equal_to_cpu(bicubic(), words({0, 1, 2}), pixels(tall), tall.view(), {});
}

TEST_F(GpuFrameResults, RowsAndPixelsWithGaps) {
  for (const nlohmann::json& manifest : {manifest_json(), bicubic()}) {
    std::vector<uint8_t> bytes(static_cast<size_t>(kHeight) * 250, 77);
    for (int i = 0; i < kWidth * kHeight; ++i) {
      std::copy_n(&picture.pixels[3 * i], 3, &bytes[i / kWidth * 250 + i % kWidth * 4]);
    }
    const ImageView view{bytes.data(), kWidth, kHeight, 250, 4};
    expect_equal_to_cpu(manifest, words({0, 1, 2}), pixels_of(view), view, {});
  }
}

TEST_F(GpuFrameResults, Nv12) {
  std::vector<uint8_t> bytes(static_cast<size_t>(kWidth) * kHeight * 3 / 2), rgb;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 37 % 251);
  const uint8_t* chroma = bytes.data() + kWidth * kHeight;
  for (int i = 0; i < kWidth * kHeight; ++i) {  // as OpenCV's COLOR_YUV2RGB_NV12
    const uint8_t* pair = chroma + i / kWidth / 2 * kWidth + i % kWidth / 2 * 2;
    const int y = std::max(bytes[i] - 16, 0) * 1220542 + (1 << 19);
    const int u = pair[0] - 128, v = pair[1] - 128;
    for (const int value : {y + 1673527 * v, y - 852492 * v - 409993 * u, y + 2116026 * u}) {
      rgb.push_back(static_cast<uint8_t>(std::clamp(value >> 20, 0, 255)));
    }
  }
  const FramePixels nv12{Memory::kHost, kWidth, kHeight, bytes.data(), 0, 3, chroma, 0};
  expect_equal_to_cpu(manifest_json(), words({0, 1, 2}), nv12, {rgb.data(), kWidth, kHeight}, {});
  fake().launches.resize(4);
  EXPECT_EQ(launched(), expected({"nv12", "labels"}));
}

TEST_F(GpuFrameResults, Masks) {
  std::vector<uint8_t> bytes(size_t{2} * kWidth * kHeight);
  std::vector<int32_t> map(size_t{kWidth} * kHeight, -1);
  for (int i = 0; i < kWidth * kHeight; ++i) {
    const bool left = i % kWidth < 20;
    bytes[left ? i : kWidth * kHeight + i] = i % 3 == 0;
    map[i] = left ? 0 : 1;
  }
  const RunLengths codes = {{600, 1200, 600}, {0, 2400}};
  const std::vector<std::pair<std::string, Masks>> forms = {
      {"bool masks", {kHeight, kWidth, BoolMasks{bytes.data(), 2}}},
      {"label map", {kHeight, kWidth, LabelMap{map.data(), 2}}},
      {"run lengths", {kHeight, kWidth, codes}}};
  Segmenter cpu = reference();
  cpu.set_vocabulary(words({0, 1, 2}));
  const auto gpu = frame();
  for (const auto& [name, masks] : forms) {
    const RegionLabels want = cpu.classify_masks(picture.view(), masks);
    const RegionLabels got = gpu->pool_masks(pixels(picture), masks);
    nlohmann::json order = expected({"bilinear", name});
    EXPECT_EQ(launched(), order);
    EXPECT_EQ(got.area, want.area) << name;
    ASSERT_EQ(got.features.size(), want.features.size());
    for (size_t i = 0; i < got.features.size(); ++i) {
      ASSERT_NEAR(got.features[i], want.features[i], 1e-5) << name << " " << i;
    }
  }
  EXPECT_TRUE(gpu->pool_masks(pixels(picture), {kHeight, kWidth, RunLengths{}}).area.empty());
  EXPECT_THROW(gpu->pool_masks(pixels(picture), {kHeight, kWidth, LabelMap{map.data(), 1}}),
               MaskError);
  EXPECT_THROW(gpu->pool_masks(pixels(picture), {kHeight, kWidth, RunLengths{{1, 2}}}), MaskError);
}

TEST_F(GpuFrameResults, WindowsInSeveralRuns) {
  const test::Stripes wide(200, 40, {test::kRed, test::kGreen, test::kBlue});
  engine.can.largest_batch = 4;
  expect_equal_to_cpu(manifest_json(), words({0, 1, 2}), pixels(wide), wide.view(), {});
  EXPECT_EQ(engine.batches, (std::vector<int64_t>{4, 4, 1, 4, 4, 1, 4, 4, 1})) << "no graph";
  engine.can.largest_batch = 3;
  engine.batches.clear();
  expect_equal_to_cpu(manifest_json(), words({0, 1, 2}), pixels(wide), wide.view(), {});
  EXPECT_EQ(engine.batches, (std::vector<int64_t>{3, 3, 3, 3, 3, 3})) << "once captured";
}

}  // namespace
}  // namespace vocabseg::cuda
