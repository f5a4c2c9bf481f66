// What a frame asks of the driver: order, one stream, allocations, graphs, failures.
#include "cuda/frame_fixture.hpp"
#include "thrown.hpp"

namespace vocabseg::cuda {
namespace {

using test::thrown;

class GpuFrameCalls : public GpuFrameTest {
 protected:
  int allocations() const {
    return fake().calls["cuMemAlloc_v2"] + fake().calls["cuMemHostAlloc"] +
           fake().calls["cuStreamCreate"] + fake().calls["cuEventCreate"] +
           fake().calls["cuModuleLoadData"] + fake().calls["cuStreamBeginCapture_v2"];
  }

  // The frame in device memory, `gap` bytes from a multiple of 256.
  std::unique_ptr<DeviceBuffer> uploaded(const SharedGpu& gpu, size_t gap) const {
    auto memory = std::make_unique<DeviceBuffer>(gpu);
    const CurrentContext current(*gpu);
    memory->reserve(picture.pixels.size() + gap);
    std::copy_n(picture.pixels.data(), picture.pixels.size(),
                reinterpret_cast<uint8_t*>(memory->data()) + gap);
    return memory;
  }
};

constexpr const char* kPreprocess =
    "record, up, record, launch preprocess_windows fp32 BILINEAR=1, record";
constexpr const char* kNetwork =
    ", network, record, launch patch_text_similarity fp32 NORMALIZE=0, record, launch "
    "decode_labels_u8 fp32 PROBABILITY=0, record, down, record";

TEST_F(GpuFrameCalls, OneCopyUpOneCopyDownOneStream) {
  const auto gpu = frame();
  gpu->set_vocabulary(words({0, 1, 2}));
  engine.can.capturable = false;
  gpu->segment(pixels(picture));
  for (int round = 0; round < 3; ++round) {
    queued();
    gpu->segment(pixels(picture));
    EXPECT_EQ(fake().operations.at(1).bytes, size_t{3} * kWidth * kHeight);
    EXPECT_EQ(fake().operations.at(11).bytes, size_t{kWidth} * kHeight);
    EXPECT_EQ(queued(), std::string(kPreprocess) + kNetwork);
  }
}

TEST_F(GpuFrameCalls, FromTheSecondFrameOnAGraph) {
  const auto gpu = frame();
  gpu->set_vocabulary(words({0, 1, 2}));
  queued();
  gpu->segment(pixels(picture));
  EXPECT_NE(queued().find(kNetwork), std::string::npos);
  const Segmentation first = gpu->segment(pixels(picture));
  const test::Stripes other(kWidth, kHeight, {test::kBlue, test::kRed});
  const std::string with_graph = std::string(kPreprocess) + ", graph, record";
  EXPECT_EQ(queued(), with_graph);
  EXPECT_NE(gpu->segment(pixels(other)).labels, first.labels);
  EXPECT_EQ(queued(), with_graph);
  SegmentOptions options;
  options.scores = true;  // a graph of its own, beside the first
  gpu->segment(pixels(picture), options);
  gpu->segment(pixels(picture), options);
  queued();
  EXPECT_EQ(gpu->segment(pixels(picture), options).scores.size(), size_t{kWidth} * kHeight);
  EXPECT_EQ(gpu->segment(pixels(picture)).labels, first.labels);
  EXPECT_EQ(queued(), with_graph + ", " + with_graph);
  EXPECT_EQ(fake().calls["cuStreamBeginCapture_v2"], 2);
}

TEST_F(GpuFrameCalls, NothingIsAllocatedInSteadyState) {
  const auto gpu = frame();
  gpu->set_vocabulary(words({0, 1, 2}));
  for (int round = 0; round < 2; ++round) gpu->segment(pixels(picture));
  const int before = allocations();
  for (int round = 0; round < 3; ++round) {
    gpu->set_vocabulary(words({round, 1, 2}));  // the graph reads the new words
    const Segmentation out = gpu->segment(pixels(picture));
    EXPECT_EQ(out.label(5, 2), round == 0 ? 0 : out.label(5, 2));
  }
  EXPECT_EQ(allocations(), before);
  gpu->set_vocabulary(words({2, 1, 0, 5, 6}));  // more words: other launches, the same memory
  Segmentation out;
  for (int round = 0; round < 3; ++round) out = gpu->segment(pixels(picture));
  EXPECT_EQ(allocations(), before + 1) << "one more graph";
  EXPECT_EQ(out.label(5, 2), 2);
  const test::Stripes small(50, 34, {test::kRed, test::kBlue});
  gpu->segment(pixels(small));
  EXPECT_EQ(allocations(), before + 1) << "smaller frames fit";
}

TEST_F(GpuFrameCalls, WordsAreCopiedWhenTheyChangeOnly) {
  const auto gpu = frame();
  gpu->set_vocabulary(words({0, 1, 2}));
  for (int round = 0; round < 2; ++round) gpu->segment(pixels(picture));
  queued();
  gpu->set_vocabulary(words({2, 1, 0}));
  EXPECT_EQ(queued(), "up, up, up");
  EXPECT_EQ(gpu->segment(pixels(picture)).label(5, 2), 2);
}

TEST_F(GpuFrameCalls, FramesOnTheDeviceAreNotCopied) {
  const auto gpu = frame();
  gpu->set_vocabulary(words({0, 1, 2}));
  const Segmentation want = gpu->segment(pixels(picture));
  const auto device = std::make_shared<const Gpu>(0, FAKE_CUDA);
  for (const size_t gap : {size_t{0}, size_t{3}}) {
    const auto memory = uploaded(device, gap);
    FramePixels there = pixels(picture);
    there.memory = Memory::kDevice;
    there.pixels = reinterpret_cast<const uint8_t*>(memory->data()) + gap;
    queued();
    EXPECT_EQ(gpu->segment(there).labels, want.labels);
    const std::string calls = queued();
    EXPECT_EQ(calls.find("up"), std::string::npos);
    EXPECT_EQ(calls.find("rows") != std::string::npos, gap != 0) << "kernels read aligned frames";
  }
}

TEST_F(GpuFrameCalls, AFrameWaitsForTheStreamThatWritesIt) {
  const auto gpu = frame();
  gpu->set_vocabulary(words({0, 1, 2}));
  const Segmentation want = gpu->segment(pixels(picture));
  const auto device = std::make_shared<const Gpu>(0, FAKE_CUDA);
  const auto memory = uploaded(device, 0);
  auto* bytes = reinterpret_cast<uint8_t*>(memory->data());
  const DeviceStream camera(device);
  FramePixels there = pixels(picture);
  there.memory = Memory::kDevice;
  there.pixels = bytes;
  for (const bool waits : {true, false}) {
    std::fill_n(bytes, picture.pixels.size(), uint8_t{0});
    engine.enqueue(camera.handle(), "camera", [this, bytes] {
      std::copy(picture.pixels.begin(), picture.pixels.end(), bytes);
    });
    if (waits) there.written_on = Stream{camera.handle()};
    if (!waits) there.written_on.reset();
    EXPECT_EQ(gpu->segment(there).labels == want.labels, waits);
  }
}

TEST_F(GpuFrameCalls, Nv12TakesOneCopyWhereItsPlanesAreNeighbours) {
  const auto gpu = frame();
  gpu->set_vocabulary(words({0, 1, 2}));
  std::vector<uint8_t> bytes(size_t{64} * kHeight * 3 / 2, 128), apart(size_t{64} * kHeight, 128);
  FramePixels nv12{
      Memory::kHost, kWidth, kHeight, bytes.data(), 64, 3, bytes.data() + 64 * kHeight, 64};
  const auto copies = [&] {
    queued();
    gpu->segment(nv12);
    return std::count_if(fake().operations.begin(), fake().operations.end(),
                         [](const auto& operation) { return operation.what == "up"; });
  };
  copies();
  EXPECT_EQ(copies(), 1);
  nv12.chroma = apart.data();
  EXPECT_EQ(copies(), 2);
  nv12.height = 39;
  EXPECT_THROW(gpu->segment(nv12), ImageError);
}

TEST_F(GpuFrameCalls, AnEngineThatCannotBeCapturedRunsWithoutGraph) {
  const auto gpu = frame();
  gpu->set_vocabulary(words({0, 1, 2}));
  const Segmentation want = gpu->segment(pixels(picture));
  fake().failures = {{"cuStreamEndCapture", 901}};
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(gpu->segment(pixels(picture)).labels, want.labels);
  }
  EXPECT_EQ(fake().calls["cuStreamBeginCapture_v2"], 1);
  EXPECT_EQ(fake().calls["cuGraphLaunch"], 0);
  fake().failures.clear();
}

TEST_F(GpuFrameCalls, EveryFailureIsOneErrorAndLeaksNothing) {
  fake().execute = {};  // what kernels write does not matter here
  std::set<std::string> failed;
  const auto run = [&](const std::unique_ptr<GpuFrame>& gpu) {
    gpu->set_vocabulary(words({0, 1, 2}));
    for (int round = 0; round < 2; ++round) gpu->segment(pixels(picture));
    gpu->pool_masks(pixels(picture), {kHeight, kWidth, RunLengths{{600, 1200, 600}}});
  };
  for (int64_t call = 1;; ++call) {
    std::unique_ptr<GpuFrame> gpu;
    fake().failed.clear();
    fake().fail_in = call;
    const std::string message = thrown<VocabsegError>([&] {
      gpu = frame();
      run(gpu);
    });
    fake().fail_in = 0;
    if (fake().failed.empty()) break;
    failed.insert(fake().failed);
    if (fake().failed.find("cuCtx") != 0 && message != "not thrown") {
      EXPECT_NE(message.find("CUDA_ERROR_OUT_OF_MEMORY (as the test wanted)"), std::string::npos);
      EXPECT_NE(message.find("; "), std::string::npos) << "the next step: " << message;
    }
    if (gpu) run(gpu);  // a failure is not remembered
    set_current(nullptr);
  }
  for (const char* name :
       {"cuMemAlloc_v2", "cuMemHostAlloc", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2",
        "cuMemcpy2DAsync_v2", "cuLaunchKernel", "cuGraphInstantiateWithFlags", "cuGraphLaunch",
        "cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuStreamSynchronize",
        "cuEventRecordWithFlags", "cuEventElapsedTime", "cuStreamCreate", "cuEventCreate"}) {
    EXPECT_EQ(failed.count(name), 1u) << name;
  }
}

TEST_F(GpuFrameCalls, TheNetworksErrorIsPassedOn) {
  const auto gpu = frame();
  gpu->set_vocabulary(words({0, 1, 2}));
  for (int round = 0; round < 2; ++round) {
    engine.error = "the network has no such input";
    EXPECT_EQ(thrown<EngineError>([&] { gpu->segment(pixels(picture)); }), engine.error);
    engine.error.clear();
    gpu->segment(pixels(picture));
  }
}

TEST_F(GpuFrameCalls, WhatTheDeviceCannotDoIsSaid) {
  const auto refused = [&](const nlohmann::json& step) {
    nlohmann::json manifest = manifest_json();
    manifest["post_steps"] = {step};
    return thrown<BackendUnavailable>([&] {
      const auto gpu = frame(manifest);
      gpu->set_vocabulary(words({0, 1, 2}));
      gpu->segment(pixels(picture));
    });
  };
  EXPECT_EQ(refused({{"name", "area_threshold"}, {"threshold", 0.1}}),
            "the method vanilla needs the step area_threshold, which has no GPU version; use a "
            "backend on the CPU for it");
  EXPECT_NE(refused({{"name", "pamr"}, {"steps", 1}, {"dilations", {1}}}).find("the step pamr"),
            std::string::npos);
  engine.can.device_memory = false;
  EXPECT_NE(thrown<BackendUnavailable>([&] { frame(); }).find("takes no device memory"),
            std::string::npos);
  engine.can.device_memory = true;
  nlohmann::json odd = manifest_json();
  odd["model"]["embed_dim"] = 20;
  EXPECT_NE(thrown<BackendUnavailable>([&] { frame(odd); }).find("20 wide, expected a multiple"),
            std::string::npos);
}

TEST_F(GpuFrameCalls, BadFramesAreRefused) {
  const auto gpu = frame();
  EXPECT_THROW(gpu->segment(pixels(picture)), VocabularyError);
  gpu->set_vocabulary(words({0, 1, 2}));
  FramePixels bad = pixels(picture);
  for (const int64_t stride : {int64_t{-180}, int64_t{100}}) {
    bad.row_stride = stride;
    EXPECT_THROW(gpu->segment(bad), ImageError);
  }
  bad = pixels(picture);
  bad.pixel_stride = 5;
  EXPECT_THROW(gpu->segment(bad), ImageError);
  bad = pixels(picture);
  bad.pixels = nullptr;
  EXPECT_THROW(gpu->segment(bad), ImageError);
}

}  // namespace
}  // namespace vocabseg::cuda
