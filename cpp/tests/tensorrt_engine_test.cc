// Engines behind libvocabseg_tensorrt.so: loading, runs on both kinds of memory, errors.
#include <cstdlib>

#include "tensorrt/engine_fixture.hpp"

namespace vocabseg {
namespace {

using test::thrown;

class TensorRtEngines : public TensorRtTest {
 protected:
  // One window, run on the host's memory.
  void run(Engine& engine, const std::vector<int64_t>& in, const std::vector<int64_t>& out) {
    std::vector<float> windows(size_t{8} * 3 * 32 * 32), features(size_t{8} * 16 * 16);
    engine.run({{"windows", {DType::kFloat32, in, windows.data()}}},
               {{"features", {DType::kFloat32, out, features.data()}}}, nullptr);
  }
};

TEST_F(TensorRtEngines, RunOnHostMemoryAsTheReference) {
  write_engine(record());
  Settings settings;
  settings.threads = 1;
  Segmenter gpu(bundle_, {make(), nullptr}, settings);
  Segmenter cpu = reference();
  gpu.set_vocabulary(words({0, 1, 2}));
  cpu.set_vocabulary(words({0, 1, 2}));
  EXPECT_EQ(gpu.backend(), "tensorrt/float32");
  const test::Stripes wide(200, 40, {test::kRed, test::kGreen, test::kBlue});
  for (int round = 0; round < 2; ++round) {  // 9 windows, by 4 at most
    EXPECT_EQ(gpu.segment(wide.view()).labels, cpu.segment(wide.view()).labels);
  }
  EXPECT_EQ(queued().find("up, network, down, up, network, down, up, network, down"), 0u);
}

TEST_F(TensorRtEngines, RunAWholeFrameOnTheDevice) {
  write_engine(record());
  const auto engine = make();
  EXPECT_EQ(engine->traits().largest_batch, 4);
  cuda::GpuFrame frame(bundle_.manifest(), *engine, open(),
                       std::make_shared<const cuda::Gpu>(0, FAKE_CUDA));
  Segmenter cpu = reference();
  frame.set_vocabulary(words({0, 1, 2}));
  cpu.set_vocabulary(words({0, 1, 2}));
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(frame.segment(pixels(picture)).labels, cpu.segment(picture.view()).labels);
  }
  EXPECT_EQ(fake().calls["cuGraphLaunch"], 2);
}

TEST_F(TensorRtEngines, TensorsThatDoNotFitAreNamed) {
  write_engine(record());
  const auto engine = make();
  const auto message = [&](const std::vector<int64_t>& in, const std::vector<int64_t>& out) {
    return thrown<EngineError>([&] { run(*engine, in, out); });
  };
  EXPECT_EQ(message({4, 3, 32, 32}, {4, 16, 16}), "not thrown");
  EXPECT_EQ(
      message({5, 3, 32, 32}, {5, 16, 16})
          .find("tensor windows is [5, 3, 32, 32], the engine holds at most [4, 3, 32, 32]; for a "
                "larger batch run: vocabseg build "),
      0u);
  write_engine(record(), "plan 4 2");
  EXPECT_NE(thrown<EngineMismatch>([&] {
              run(*make(), {1, 3, 32, 32}, {1, 16, 16});
            }).find("the engine holds at least [2, 3, 32, 32]; for a smaller batch run: vocabseg"),
            std::string::npos);
  EXPECT_NE(message({1, 3, 32, 33}, {1, 16, 16}).find("is [1, 3, 32, 33]"), std::string::npos);
  EXPECT_NE(message({1, 3, 32, 32}, {1, 16, 8}).find("features is [1, 16, 8], the engine holds "),
            std::string::npos);
  EXPECT_NE(message({0, 3, 32, 32}, {0, 16, 16}).find("is [0, 3, 32, 32]"), std::string::npos);
  std::vector<int64_t> tokens(8);
  const TensorView wrong{DType::kInt64, {1, 3, 32, 32}, tokens.data()};
  EXPECT_NE(thrown<EngineError>([&] {
              engine->run({{"windows", wrong}}, {}, nullptr);
            }).find("windows is of another type"),
            std::string::npos);
  EXPECT_NE(thrown<EngineError>([&] {
              engine->run({{"pixels", wrong}}, {}, nullptr);
            }).find("windows is missing, the engine has windows, features"),
            std::string::npos);
}

TEST_F(TensorRtEngines, DeviceMemoryMustBeAlignedAndOfOneKind) {
  write_engine(record());
  const auto engine = make();
  std::vector<float> features(256);
  TensorView in{DType::kFloat32, {1, 3, 32, 32}, reinterpret_cast<void*>(0x1010), Memory::kDevice};
  TensorView out{DType::kFloat32, {1, 16, 16}, features.data()};
  const auto message = [&] {
    return thrown<EngineError>([&] {
      engine->run({{"windows", in}}, {{"features", out}}, nullptr);
    });
  };
  EXPECT_NE(message().find("not aligned to 256 bytes"), std::string::npos);
  in.data = reinterpret_cast<void*>(0x1000);
  EXPECT_NE(message().find("another kind of memory"), std::string::npos);
  out.memory = Memory::kDevice, out.data = reinterpret_cast<void*>(0x9000);
  EXPECT_NE(message().find("need a stream"), std::string::npos);
}

TEST_F(TensorRtEngines, AFailedRunIsExplained) {
  write_engine(record());
  const auto engine = make();
  setenv("FAKE_TENSORRT_FAILS", "1", 1);
  const std::string message = thrown<EngineError>([&] {
    run(*engine, {1, 3, 32, 32}, {1, 16, 16});
  });
  unsetenv("FAKE_TENSORRT_FAILS");
  EXPECT_NE(message.find("image.plan: enqueueV3 failed: as the test wanted; run: vocabseg build"),
            std::string::npos)
      << message;
  run(*engine, {1, 3, 32, 32}, {1, 16, 16});
}

TEST_F(TensorRtEngines, APlanThatTensorRtRefuses) {
  write_engine(record(), "not one");
  EXPECT_NE(thrown<EngineError>([&] { make(); }).find("TensorRT 10.3.0 cannot load "),
            std::string::npos);
  EXPECT_NE(thrown<EngineError>([&] { make(); }).find("magic tag; run: vocabseg build "),
            std::string::npos);
}

TEST_F(TensorRtEngines, EveryFailureOfTheDriverLeaksNothing) {
  write_engine(record());
  for (int64_t call = 1;; ++call) {
    fake().failed.clear();
    fake().fail_in = call;
    const std::string message = thrown<VocabsegError>([&] {
      const auto engine = make();
      run(*engine, {1, 3, 32, 32}, {1, 16, 16});
    });
    fake().fail_in = 0;
    if (fake().failed.empty()) break;
    const bool named = message.find("CUDA_ERROR_OUT_OF_MEMORY") != std::string::npos ||
                       message.find("of GPU memory for a batch of 1") != std::string::npos;
    EXPECT_TRUE(named || fake().failed.find("cuCtx") == 0) << fake().failed << ": " << message;
    if (fake().failed.find("cuCtx") == 0) fake().misuse.clear();  // it may fail in a destructor
    set_current(nullptr);
  }
  const std::unique_ptr<void, int (*)(void*)> library(dlopen(FAKE_TENSORRT, RTLD_NOW), dlclose);
  const auto open_engines =
      reinterpret_cast<int (*)()>(dlsym(library.get(), "fake_tensorrt_open_engines"));
  EXPECT_EQ(open_engines(), 0);
}

TEST_F(TensorRtEngines, BackendsSayWhatIsMissing) {
  const BackendInfo here = tensorrt_backend(place());
  EXPECT_TRUE(here.available);
  EXPECT_EQ(here.reason, "Fake GPU with TensorRT 10.3.0");
  const auto reason = [](const TensorRtPlace& place) {
    const BackendInfo info = tensorrt_backend(place);
    EXPECT_FALSE(info.available);
    return info.reason;
  };
  EXPECT_EQ(reason({FAKE_CUDA, "libnobody.so", 0}).find("libnobody.so cannot be opened: "), 0u);
  EXPECT_NE(reason({FAKE_CUDA, "libnobody.so", 0}).find("-DVOCABSEG_TENSORRT=ON"),
            std::string::npos);
  EXPECT_NE(reason({FAKE_CUDA, FAKE_TENSORRT_OTHER, 0}).find("has version 1 of its interface, "),
            std::string::npos);
  EXPECT_NE(reason({FAKE_CUDA, FAKE_CUDA, 0}).find("has no version"), std::string::npos);
  EXPECT_NE(reason({"libcuda-of-nobody.so.1", FAKE_TENSORRT, 0}).find("install the NVIDIA driver"),
            std::string::npos);
  fake().devices.clear();
  EXPECT_NE(
      reason(place()).find("CUDA_ERROR_NO_DEVICE (as the test wanted); check that nvidia-smi"),
      std::string::npos);
  fake().devices.resize(1);
  fake().version = 11040;
  EXPECT_NE(reason(place()).find("supports CUDA 11.4, expected 12.0"), std::string::npos);
}

}  // namespace
}  // namespace vocabseg
