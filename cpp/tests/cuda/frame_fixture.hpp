// Frames on the fake device: its kernels run on the host, and so does its network.
#pragma once

#include <fstream>

#include "cuda/colour_network.hpp"
#include "cuda/cubin_fixture.hpp"
#include "cuda/gpu_frame.hpp"
#include "cuda/host_kernels.hpp"

namespace vocabseg::cuda {

constexpr int kWidth = 60, kHeight = 40;  // of frames, as in frame_launches.json

// The colour network, on the host or queued on the fake device.
class FakeEngine final : public Engine {
 public:
  using Enqueue = void(void*, const char*, std::function<void()>);
  explicit FakeEngine(Enqueue* queue) : enqueue(queue) {}

  void run(const TensorMap& inputs, const TensorMap& outputs, Stream* stream) override {
    const TensorView in = inputs.at("windows"), out = outputs.at("features");
    batches.push_back(in.shape[0]);
    if (!error.empty()) throw EngineError(error);
    const auto work = [in, out] { colour_network(in.data, in.shape[0], out.data); };
    in.memory == Memory::kDevice ? enqueue(stream->handle, "network", work) : work();
  }

  std::string id() const override { return "fake/float32"; }
  EngineTraits traits() const override { return can; }

  EngineTraits can = {true, true, 0};
  std::string error;
  std::vector<int64_t> batches;
  Enqueue* const enqueue;
};

class GpuFrameTest : public CudaTest {
 protected:
  GpuFrameTest() : engine(symbol<FakeEngine::Enqueue>("fake_cuda_enqueue")) {
    std::ifstream file(FRAME_LAUNCHES);
    recorded = nlohmann::json::parse(file);
    std::vector<nlohmann::json> cubins;
    for (const auto& [key, entry] : recorded["kernels"].items()) {
      nlohmann::json whole = cubin(89);
      whole.update(entry);
      whole["symbol"] = key;
      cubins.push_back(whole);
    }
    write_set(folder_.path(), cubins);
    fake().execute = [this](const fake_cuda::Launch& launch) {
      const nlohmann::json& entry = recorded["kernels"][launch.symbol];
      run_on_host(entry["kernel"], {entry, launch.parameters});
    };
  }

  static nlohmann::json manifest_json() {
    nlohmann::json manifest = test::tiny_manifest();
    manifest["model"]["embed_dim"] = kDim;
    return manifest;
  }

  Bundle bundle(const nlohmann::json& manifest) const {
    test::write_bundle(bundle_folder_.path(), manifest);
    return Bundle::open(bundle_folder_.path());
  }

  std::unique_ptr<GpuFrame> frame(const nlohmann::json& manifest = manifest_json()) {
    return std::make_unique<GpuFrame>(bundle(manifest).manifest(), engine, open(),
                                      std::make_shared<const Gpu>(0, FAKE_CUDA));
  }

  // The same on the CPU.
  Segmenter reference(const nlohmann::json& manifest = manifest_json()) {
    auto network = std::make_unique<FakeEngine>(nullptr);
    Settings settings;
    settings.threads = 1;
    return Segmenter(bundle(manifest), {std::move(network), nullptr}, settings);
  }

  static Vocabulary words(const std::vector<int>& colours, std::vector<int32_t> background = {}) {
    Vocabulary vocabulary = test::colour_vocabulary(colours, std::move(background));
    vocabulary.dim = kDim;
    vocabulary.embeddings.assign(colours.size() * kDim, 0.0f);
    for (size_t i = 0; i < colours.size(); ++i) {
      vocabulary.embeddings[i * kDim + static_cast<size_t>(colours[i] % kDim)] = 1;
    }
    return vocabulary;
  }

  // What was queued since the last call, in words.
  std::string queued() {
    std::string out;
    for (const auto& operation : fake().operations) {
      const std::string& detail = operation.detail;
      out += (out.empty() ? "" : ", ") + operation.what;
      if (operation.what == "launch") out += detail.substr(detail.find(' '));
      EXPECT_EQ(operation.stream, fake().operations.front().stream) << "one stream";
    }
    fake().operations.clear();
    return out;
  }

  static FramePixels pixels(const test::Stripes& picture) { return pixels_of(picture.view()); }

  FakeEngine engine;
  nlohmann::json recorded;
  test::TemporaryFolder bundle_folder_;
  const test::Stripes picture{kWidth, kHeight, {test::kRed, test::kGreen, test::kBlue}};
};

}  // namespace vocabseg::cuda
