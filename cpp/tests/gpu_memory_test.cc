// Memory of an engine's runs: what is taken, where it moves, and what is done where it cannot be
// had.
#include <numeric>

#include "tensorrt/engine_fixture.hpp"

namespace vocabseg {
namespace {

using test::thrown;

constexpr size_t kMiB = size_t{1} << 20;
constexpr const char* kPlan = "plan 4 1 1048576";  // up to 4 windows, of a MiB each

class GpuMemory : public TensorRtTest {
 protected:
  GpuMemory() {
    settings_.threads = 1;
    settings_.log = [this](Level level, std::string_view message) {
      if (level == Level::kWarning) warnings_.emplace_back(message);
    };
  }

  // Frames on the CPU around the engine, or with cubins on the GPU as a whole.
  Segmenter segmenter(bool with_cubins, const std::string& plan = kPlan) {
    write_engine(record(), plan);
    if (with_cubins) settings_.cubins = folder_.path().string();
    Segmenter out(bundle_, {make(), nullptr}, settings_);
    out.set_vocabulary(words({0, 1, 2}));
    return out;
  }

  size_t taken() const {
    const auto& memory = fake().memory;
    return std::accumulate(memory.begin(), memory.end(), size_t{0},
                           [](size_t sum, const auto& each) { return sum + each.second; });
  }

  // A run of 2 windows fits, and one of 4 does not.
  Segmenter short_of_memory(bool with_cubins) {
    Segmenter gpu = segmenter(with_cubins);
    fake().capacity = taken() + 5 * kMiB / 2 + (with_cubins ? kMiB / 2 : 0);
    return gpu;
  }

  // 9 windows.
  const test::Stripes wide_{200, 40, {test::kRed, test::kGreen, test::kBlue}};
  std::vector<std::string> warnings_;
};

constexpr const char* kShortage =
    "the engine needs 4 MiB of GPU memory for a batch of 4, Fake GPU has 2 MiB free: 2 MiB are "
    "missing";

TEST_F(GpuMemory, TooLittleIsOneErrorAndChangesNothing) {
  Segmenter cpu = reference();
  cpu.set_vocabulary(words({0, 1, 2}));
  const auto want = cpu.segment(wide_.view()).labels;
  for (const bool with_cubins : {false, true}) {
    Segmenter gpu = short_of_memory(with_cubins);
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(thrown<OutOfMemory>([&] { gpu.segment(wide_.view()); }),
                std::string(kShortage) +
                    "; free memory on the device (nvidia-smi shows who holds it), or allow a "
                    "smaller batch: allow_smaller_batch in the settings, --allow-smaller-batch on "
                    "the command line");
      EXPECT_LT(taken(), kMiB) << "the work memory is given back";
    }
    EXPECT_EQ(gpu.segment(picture.view()).labels, cpu.segment(picture.view()).labels)
        << "2 windows fit";
    fake().capacity = size_t{1} << 40;
    for (int round = 0; round < 3; ++round) EXPECT_EQ(gpu.segment(wide_.view()).labels, want);
  }
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(GpuMemory, ASmallerBatchIsTakenWhereThatIsAllowed) {
  settings_.allow_smaller_batch = true;
  Segmenter cpu = reference();
  cpu.set_vocabulary(words({0, 1, 2}));
  const auto want = cpu.segment(wide_.view()).labels;
  for (const bool with_cubins : {false, true}) {
    Segmenter gpu = short_of_memory(with_cubins);
    warnings_.clear();
    for (int round = 0; round < 3; ++round) {
      queued();
      EXPECT_EQ(gpu.segment(wide_.view()).labels, want);
      const auto& done = fake().operations;
      EXPECT_EQ(std::count_if(done.begin(), done.end(),
                              [](const auto& each) { return each.what == "network"; }),
                5)
          << "9 windows, by 2";
    }
    EXPECT_EQ(warnings_, std::vector<std::string>{std::string("tensorrt/float32: ") + kShortage +
                                                  "; batches of 2 instead of 4 from now on"});
    fake().capacity = size_t{1} << 40;
  }
}

TEST_F(GpuMemory, ABatchFallsToWhatTheProfileHolds) {
  settings_.allow_smaller_batch = true;
  {
    Segmenter gpu = segmenter(false, "plan 4 3 1048576");
    fake().capacity = taken() + 7 * kMiB / 2;
    gpu.segment(wide_.view());
    ASSERT_EQ(warnings_.size(), 1u);
    EXPECT_NE(warnings_[0].find("batches of 3 instead of 4"), std::string::npos) << warnings_[0];
  }
  Segmenter gpu = segmenter(false, "plan 4 4 1048576");
  const std::string message = thrown<OutOfMemory>([&] { gpu.segment(wide_.view()); });
  EXPECT_NE(message.find("who holds it), or run: vocabseg build "), std::string::npos) << message;
  EXPECT_NE(message.find(" --batch 1,1,2"), std::string::npos) << message;
  EXPECT_EQ(warnings_.size(), 1u);
}

TEST_F(GpuMemory, OneWindowThatDoesNotFit) {
  settings_.allow_smaller_batch = true;
  Segmenter gpu = segmenter(true);
  fake().capacity = taken() + kMiB;
  EXPECT_NE(
      thrown<OutOfMemory>([&] { gpu.segment(wide_.view()); })
          .find("for a batch of 1, Fake GPU has 0 MiB free: 1 MiB are missing; free memory on "
                "the device (nvidia-smi shows who holds it)"),
      std::string::npos);
  EXPECT_EQ(warnings_.size(), 2u) << "to 2, and to 1";
}

// A graph that were replayed after its memory has moved would write to memory that is free.
TEST_F(GpuMemory, GraphsAreMadeAnewWhereItHasMoved) {
  Segmenter gpu = segmenter(true);
  const auto want = gpu.segment(picture.view()).labels;  // 2 windows
  gpu.segment(picture.view());
  EXPECT_EQ(fake().calls["cuStreamBeginCapture_v2"], 1);
  const std::vector<float> windows(size_t{4} * 3 * 32 * 32);
  gpu.encode_windows(windows.data(), 4);
  for (int round = 0; round < 3; ++round) EXPECT_EQ(gpu.segment(picture.view()).labels, want);
  EXPECT_EQ(fake().calls["cuStreamBeginCapture_v2"], 2);
  EXPECT_TRUE(fake().misuse.empty());
}

TEST_F(GpuMemory, NothingIsAllocatedInSteadyState) {
  Segmenter gpu = segmenter(true);
  const Masks masks{cuda::kHeight, cuda::kWidth, RunLengths{{600, 1200, 600}}};
  const auto run = [&] {
    gpu.segment(picture.view());
    gpu.classify_masks(picture.view(), masks);
  };
  for (int round = 0; round < 2; ++round) run();
  const int before = fake().calls["cuMemAlloc_v2"];
  for (int round = 0; round < 3; ++round) run();
  EXPECT_EQ(fake().calls["cuMemAlloc_v2"], before);
  EXPECT_EQ(fake().calls["cuStreamBeginCapture_v2"], 1);
}

TEST_F(GpuMemory, APlanThatDoesNotFit) {
  write_engine(record(), "not one");
  fake().capacity = 6;
  const std::string message = thrown<OutOfMemory>([&] { make(); });
  EXPECT_NE(message.find("magic tag; it has 7 bytes, Fake GPU has 6 free; free memory on the "
                         "device (nvidia-smi shows who holds it)"),
            std::string::npos)
      << message;
}

TEST_F(GpuMemory, WindowsOfARunBeginAligned) {
  const cuda::WindowRuns even{12288, 1024}, odd{12288, 25 * 16 * 4};
  EXPECT_EQ(even.most(9, 0), 9);
  EXPECT_EQ(even.most(9, 5), 5);
  EXPECT_EQ(odd.step(), 4);
  EXPECT_EQ(odd.most(9, 9), 9);
  EXPECT_EQ(odd.most(9, 7), 4);
  EXPECT_EQ(odd.most(9, 3), 0);
}

}  // namespace
}  // namespace vocabseg
