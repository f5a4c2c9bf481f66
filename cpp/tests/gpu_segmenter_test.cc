// A segmenter whose frames run on the device as a whole.
#include "tensorrt/engine_fixture.hpp"

namespace vocabseg {
namespace {

using test::thrown;

class GpuSegmenters : public TensorRtTest {
 protected:
  Segmenter segmenter(const nlohmann::json& manifest, bool with_cubins) {
    bundle_ = bundle(manifest);
    write_engine(record());
    Settings settings;
    settings.threads = 1;
    settings.log = [this](Level, std::string_view message) { log_ += message; };
    if (with_cubins) settings.cubins = folder_.path().string();
    return Segmenter(bundle_, {make(), nullptr}, settings);
  }

  std::string log_;
};

TEST_F(GpuSegmenters, GiveWhatTheCpuGives) {
  Segmenter gpu = segmenter(manifest_json(), true);
  Segmenter cpu = reference();
  EXPECT_NE(log_.find("frames on the GPU"), std::string::npos) << log_;
  EXPECT_THROW(gpu.segment(picture.view()), VocabularyError);
  for (const std::vector<int>& colours : {std::vector<int>{0, 1, 2}, {2, 1, 0}, {1, 0}}) {
    gpu.set_vocabulary(words(colours));
    cpu.set_vocabulary(words(colours));
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(gpu.segment(picture.view()).labels, cpu.segment(picture.view()).labels);
    }
  }
  EXPECT_GT(fake().calls["cuGraphLaunch"], 0);
  const Masks masks{cuda::kHeight, cuda::kWidth, RunLengths{{600, 1200, 600}, {0, 2400}}};
  const RegionLabels got = gpu.classify_masks(picture.view(), masks);
  const RegionLabels want = cpu.classify_masks(picture.view(), masks);
  EXPECT_EQ(got.class_ids, want.class_ids);
  EXPECT_EQ(got.area, want.area);
  std::string stages;
  for (const auto& [stage, milliseconds] : got.timing) stages += stage + " ";
  EXPECT_EQ(stages, "upload preprocess encode pooling download similarity total ");
}

TEST_F(GpuSegmenters, ReadUnusualImagesOnTheCpu) {
  Segmenter gpu = segmenter(manifest_json(), true);
  gpu.set_vocabulary(words({0, 1, 2}));
  const Segmentation want = gpu.segment(picture.view());
  ImageView flipped = picture.view();  // every row is the same
  flipped.pixels += int64_t{3} * cuda::kWidth * (cuda::kHeight - 1);
  flipped.row_stride = -3 * cuda::kWidth;
  fake().launches.clear();
  EXPECT_EQ(gpu.segment(flipped).labels, want.labels);
  EXPECT_TRUE(fake().launches.empty());
}

TEST_F(GpuSegmenters, RunTheNetworkAloneWhereTheRestCannot) {
  nlohmann::json manifest = manifest_json();
  manifest["post_steps"] = {{{"name", "area_threshold"}, {"threshold", 0.1}}};
  Segmenter hybrid = segmenter(manifest, true);
  EXPECT_NE(
      log_.find("frames on the CPU: the step area_threshold of the method vanilla has no GPU"),
      std::string::npos)
      << log_;
  Segmenter cpu = reference(manifest);
  hybrid.set_vocabulary(words({0, 1, 2}));
  cpu.set_vocabulary(words({0, 1, 2}));
  EXPECT_EQ(hybrid.segment(picture.view()).labels, cpu.segment(picture.view()).labels);
  EXPECT_TRUE(fake().launches.empty());
  EXPECT_NE(thrown<BackendUnavailable>([&] {
              hybrid.segment(pixels(picture));
            }).find("do not run on the GPU: the step area_threshold"),
            std::string::npos);
  segmenter(manifest_json(), false);
  EXPECT_NE(log_.find("no cubins are given"), std::string::npos);
}

}  // namespace
}  // namespace vocabseg
