// How long each stage of a frame takes, by the device's clock: every operation takes the fake one a
// millisecond.
#include "cuda/frame_fixture.hpp"

namespace vocabseg::cuda {
namespace {

class GpuStages : public GpuFrameTest {
 protected:
  static Timing without_total(Timing timing) {
    EXPECT_EQ(timing.back().first, "total");
    timing.pop_back();
    return timing;
  }

  const Masks masks_{kHeight, kWidth, RunLengths{{600, 1200, 600}}};
};

TEST_F(GpuStages, OfLabelsWithAGraphAndWithout) {
  const auto gpu = frame();
  gpu->set_vocabulary(words({0, 1, 2}));
  const Timing want = {{"upload", 1},     {"preprocess", 1}, {"encode", 1},
                       {"similarity", 1}, {"decode", 1},     {"download", 1}};
  for (int round = 0; round < 4; ++round) {
    EXPECT_EQ(without_total(gpu->segment(pixels(picture)).timing), want) << round;
  }
  EXPECT_EQ(fake().calls["cuGraphLaunch"], 3);
  engine.can.capturable = false;
  EXPECT_EQ(without_total(gpu->segment(pixels(picture)).timing), want);
}

TEST_F(GpuStages, OfMasks) {
  const auto gpu = frame();
  gpu->pool_masks(pixels(picture), masks_);
  const Timing want = {// of pooling: two copies up, four kernels
                       {"upload", 1},
                       {"preprocess", 1},
                       {"encode", 1},
                       {"pooling", 6},
                       {"download", 1}};
  EXPECT_EQ(without_total(gpu->pool_masks(pixels(picture), masks_).timing), want);
}

TEST_F(GpuStages, OfSeveralRunsAndOfFramesInPlace) {
  const test::Stripes wide(200, 40, {test::kRed, test::kGreen, test::kBlue});
  engine.can.largest_batch = 3;  // of 9 windows
  const auto gpu = frame();
  gpu->set_vocabulary(words({0, 1, 2}));
  const auto device = std::make_shared<const Gpu>(0, FAKE_CUDA);
  const CurrentContext current(*device);
  DeviceBuffer memory(device);
  memory.reserve(wide.pixels.size());
  FramePixels there = pixels(wide);
  there.memory = Memory::kDevice;
  there.pixels = reinterpret_cast<const uint8_t*>(memory.data());
  const Timing want = {{"upload", 0},     {"preprocess", 1}, {"encode", 3},
                       {"similarity", 1}, {"decode", 1},     {"download", 1}};
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(without_total(gpu->segment(there).timing), want) << round;
  }
}

}  // namespace
}  // namespace vocabseg::cuda
