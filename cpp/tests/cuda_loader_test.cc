// Launches of cubins through the fake driver: choice, arguments, contexts, failures of the driver.
#include <thread>

#include "cuda/cubin_fixture.hpp"

namespace vocabseg::cuda {
namespace {

class CudaLoader : public CudaTest {
 protected:
  std::string chosen(const CubinSet& set, int arch) const {
    const CubinInfo& info = set.choose("similarity", "fp16", kNormalize, arch);
    return std::to_string(info.arch) + (info.exact_arch ? "a" : "");
  }
};

nlohmann::json exact(int arch) {
  nlohmann::json node = cubin(arch);
  node["exact_arch"] = true;
  return node;
}

TEST_F(CudaLoader, ListsDevices) {
  fake().devices = {{"First", 8, 7, 166912}, {"Second", 12, 0, 101376}};
  const std::vector<Device> found = devices(FAKE_CUDA);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].name, "First");
  EXPECT_EQ(found[0].arch, 87);
  EXPECT_EQ(found[1].index, 1);
  EXPECT_EQ(found[1].arch, 120);
}

TEST_F(CudaLoader, ChoosesTheNewestThatRuns) {
  const CubinSet set = set_of(
      {cubin(80), cubin(86), cubin(87), cubin(90), exact(90), exact(100), cubin(110), exact(120)});
  EXPECT_EQ(chosen(set, 80), "80");
  EXPECT_EQ(chosen(set, 86), "86");
  EXPECT_EQ(chosen(set, 87), "87");
  EXPECT_EQ(chosen(set, 89), "86") << "cubins of Jetson run on Jetson only";
  EXPECT_EQ(chosen(set, 90), "90a") << "arch-specific code first";
  EXPECT_EQ(chosen(set, 100), "100a");
  EXPECT_EQ(chosen(set, 110), "110");
  EXPECT_EQ(chosen(set, 120), "120a");
  for (const int arch : {75, 101, 103, 111, 121}) {
    EXPECT_THROW(chosen(set, arch), BackendUnavailable) << arch;
  }
}

TEST_F(CudaLoader, SaysWhatASetHasInstead) {
  const CubinSet set = set_of({cubin(80), exact(90), cubin(80, "fp32")});
  const auto message = [&](const std::string& kernel, const std::string& dtype, int normalize,
                           int arch) -> std::string {
    try {
      set.choose(kernel, dtype, {{"NORMALIZE", normalize}}, arch);
    } catch (const BackendUnavailable& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message("pool", "fp16", 1, 80).find("no kernel pool, it has similarity;"),
            std::string::npos);
  EXPECT_NE(message("similarity", "bf16", 1, 80).find("it has fp16, fp32;"), std::string::npos);
  EXPECT_NE(message("similarity", "fp16", 0, 80).find("it has NORMALIZE=1;"), std::string::npos);
  EXPECT_NE(message("similarity", "fp16", 1, 75).find("sm_75, it has sm_80, sm_90a;"),
            std::string::npos);
}

TEST_F(CudaLoader, PacksArgumentsByteForByte) {
  const CubinSet set = set_of({cubin(89), cubin(89, "fp32")});
  void* stream = reinterpret_cast<void*>(0x77);
  set.load("similarity", "fp16", kNormalize).launch(arguments(), stream);
  ASSERT_EQ(fake().launches.size(), 1u);
  const fake_cuda::Launch& launch = fake().launches[0];
  EXPECT_EQ(launch.image, image(cubin(89)));
  EXPECT_EQ(launch.symbol, "_similarity");
  EXPECT_EQ(launch.grid, (std::array<unsigned, 3>{3, 6, 1}));
  EXPECT_EQ(launch.block, (std::array<unsigned, 3>{128, 1, 1}));
  EXPECT_EQ(launch.shared_bytes, 8192u);
  EXPECT_EQ(launch.stream, stream);
  EXPECT_EQ(launch.parameters,
            (std::vector<unsigned char>{0,   0x10, 0, 0, 0, 0, 0, 0,     // features
                                        160, 0,    0, 0, 0, 0, 0, 0x3f,  // n, scale
                                        3,   0,    0, 0, 0, 0, 0, 0,     // total
                                        0,   0x20, 0, 0, 0, 0, 0, 0,     // out
                                        0,   0,    0, 0, 0, 0, 0, 0,     // scratch, both null
                                        0,   0,    0, 0, 0, 0, 0, 0}));
}

TEST_F(CudaLoader, RefusesArgumentsThatDoNotFit) {
  const Kernel kernel = set_of({cubin(89)}).load("similarity", "fp16", kNormalize);
  const auto with = [](std::string_view name, auto value) {
    std::vector<Argument> changed = arguments();
    for (Argument& each : changed) {
      if (each.name == name) each.value = value;
    }
    return changed;
  };
  std::vector<Argument> list = arguments();
  list.pop_back();
  EXPECT_NE(refusal(kernel, list).find("argument total is missing"), std::string::npos);
  list = arguments();
  list.push_back({"m", 1});
  EXPECT_NE(
      refusal(kernel, list).find("unknown argument m, expected features, n, scale, total, out"),
      std::string::npos);
  list.back().name = "global_scratch";
  EXPECT_NE(refusal(kernel, list).find("unknown argument global_scratch"), std::string::npos);
  list.back() = list.front();
  EXPECT_NE(refusal(kernel, list).find("out is given twice"), std::string::npos);
  EXPECT_NE(refusal(kernel, with("out", int64_t{0x2008})).find("aligned to 16 bytes"),
            std::string::npos);
  EXPECT_NE(refusal(kernel, with("out", 1.0)).find("expected a device address"), std::string::npos);
  EXPECT_NE(refusal(kernel, with("n", 33)).find("n is 33, expected a multiple of 16"),
            std::string::npos);
  EXPECT_NE(refusal(kernel, with("n", 1.0)).find("expected an integer"), std::string::npos);
  EXPECT_NE(refusal(kernel, with("n", int64_t{1} << 31)).find("32-bit"), std::string::npos);
  EXPECT_NE(refusal(kernel, with("n", -16)).find("n is -16, expected 0 or more"),
            std::string::npos);
  EXPECT_NE(
      refusal(kernel, with("total", 65536)).find("dimension 1 of the grid has more than 65535"),
      std::string::npos);
  EXPECT_NE(refusal(kernel, with("total", INT64_MAX)).find("65535"), std::string::npos);
  EXPECT_NE(refusal(kernel, with("scale", 1e39)).find("float32"), std::string::npos);
  EXPECT_NE(refusal(kernel, with("scale", static_cast<const void*>(nullptr))).find("a number"),
            std::string::npos);
  EXPECT_TRUE(fake().launches.empty());
}

TEST_F(CudaLoader, AnEmptyGridLaunchesNothing) {
  const Kernel kernel = set_of({cubin(89)}).load("similarity", "fp16", kNormalize);
  std::vector<Argument> list = arguments();
  list[2].value = 0;
  kernel.launch(list, nullptr);
  EXPECT_TRUE(fake().launches.empty());
}

TEST_F(CudaLoader, OptsInToBigSharedMemory) {
  nlohmann::json big = cubin(89), bigger = cubin(89, "fp32");
  big["shared_bytes"] = 101376, bigger["shared_bytes"] = 101377;
  const CubinSet set = set_of({big, bigger});
  set.load("similarity", "fp16", kNormalize).launch(arguments(), nullptr);
  EXPECT_EQ(fake().launches.at(0).shared_bytes, 101376u);
  EXPECT_EQ(fake().calls["cuFuncSetAttribute"], 1);
  EXPECT_THROW(set.load("similarity", "fp32", kNormalize), BackendUnavailable);
}

TEST_F(CudaLoader, LoadsOncePerContextAndLeavesTheCurrentOneAlone) {
  fake().devices.push_back({"Second", 8, 9, 101376});
  const CubinSet set = set_of({cubin(89)});
  const Kernel first = set.load("similarity", "fp16", kNormalize, 0);
  const Kernel second = set.load("similarity", "fp16", kNormalize, 1);
  EXPECT_EQ(current(), nullptr);
  fake_cuda::Context* own = create_context(1);
  set_current(own);
  for (int round = 0; round < 3; ++round) {
    first.launch(arguments(), nullptr);   // primary context of device 0
    second.launch(arguments(), nullptr);  // own
    EXPECT_EQ(current(), own);
  }
  set_current(nullptr);
  second.launch(arguments(), nullptr);  // primary context of device 1
  EXPECT_EQ(fake().calls["cuModuleLoadData"], 3);
  EXPECT_EQ(fake().calls["cuDevicePrimaryCtxRetain"], 2);
  EXPECT_EQ(fake().launches.at(0).device, 0);
  EXPECT_EQ(fake().launches.at(1).device, 1);
  EXPECT_THROW(set.load("similarity", "fp16", kNormalize, 2), BackendUnavailable);
  EXPECT_THROW(set.load("similarity", "fp16", kNormalize, -1), BackendUnavailable);
}

TEST_F(CudaLoader, SurvivesAContextThatItsOwnerDestroys) {
  fake_cuda::Context* own = create_context(0);
  set_current(own);
  const CubinSet set = set_of({cubin(89)});
  const Kernel kernel = set.load("similarity", "fp16", kNormalize);
  fake().modules.clear();  // they go with their context
  own->destroyed = true;
  set_current(nullptr);
  kernel.launch(arguments(), nullptr);
  EXPECT_EQ(fake().launches.size(), 1u);
}

TEST_F(CudaLoader, ServesSeveralThreads) {
  const CubinSet set = set_of({cubin(89), cubin(89, "fp32")});
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      const Kernel kernel = set.load("similarity", thread % 2 ? "fp16" : "fp32", kNormalize);
      for (int round = 0; round < 50; ++round) kernel.launch(arguments(), nullptr);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(fake().launches.size(), 200u);
  EXPECT_EQ(fake().calls["cuModuleLoadData"], 2);
}

}  // namespace
}  // namespace vocabseg::cuda
