// Drivers that are missing, incomplete or fail, call by call.
#include "cuda/cubin_fixture.hpp"
#include "thrown.hpp"

namespace vocabseg::cuda {
namespace {

using test::thrown;
class CudaDriver : public CudaTest {};

TEST_F(CudaDriver, MissingLibrary) {
  const std::string message = thrown<BackendUnavailable>([] { devices("libcuda-of-nobody.so.1"); });
  EXPECT_EQ(message.find("libcuda-of-nobody.so.1 is not installed: "), 0u) << message;
  EXPECT_NE(message.find("install the NVIDIA driver"), std::string::npos);
  write_set(folder_.path(), {cubin(89)});
  const CubinSet set = CubinSet::open(folder_.path(), "libcuda-of-nobody.so.1");
  set.verify();
  EXPECT_THROW(set.load("similarity", "fp16", kNormalize), BackendUnavailable);
}

TEST_F(CudaDriver, MissingSymbol) {
  const std::string message = thrown<BackendUnavailable>([] { devices(FAKE_CUDA_WITHOUT_LAUNCH); });
  EXPECT_NE(message.find("has no cuLaunchKernel; update the NVIDIA driver"), std::string::npos)
      << message;
}

TEST_F(CudaDriver, TooOld) {
  fake().version = 11040;
  const std::string message = thrown<BackendUnavailable>([] { devices(FAKE_CUDA); });
  EXPECT_NE(message.find("supports CUDA 11.4, expected 12.0 or newer"), std::string::npos)
      << message;
}

TEST_F(CudaDriver, NoDevices) {
  fake().devices.clear();
  const std::string message = thrown<BackendUnavailable>([] { devices(FAKE_CUDA); });
  EXPECT_NE(message.find("CUDA_ERROR_NO_DEVICE"), std::string::npos) << message;
}

TEST_F(CudaDriver, FailuresOfTheStartMakeTheBackendUnavailable) {
  const CubinSet set = set_of({cubin(89)});
  for (const char* call : {"cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet",
                           "cuDeviceGetAttribute", "cuDeviceGetName"}) {
    fake().failures = {{call, 100}};
    const std::string message =
        thrown<BackendUnavailable>([&] { set.load("similarity", "fp16", kNormalize); });
    EXPECT_EQ(
        message.find(std::string(call) + " failed: CUDA_ERROR_NO_DEVICE (as the test wanted)"), 0u)
        << message;
  }
  fake().failures.clear();
  set.load("similarity", "fp16", kNormalize).launch(arguments(), nullptr);  // it is tried again
}

TEST_F(CudaDriver, FailuresOfACallAreNamedAndLeakNothing) {
  nlohmann::json big = cubin(89);
  big["shared_bytes"] = 60000;
  for (const char* call : {"cuCtxGetCurrent", "cuCtxGetDevice", "cuCtxSetCurrent", "cuCtxGetId",
                           "cuModuleLoadData", "cuModuleGetFunction", "cuFuncSetAttribute",
                           "cuLaunchKernel", "cuDevicePrimaryCtxRetain"}) {
    const CubinSet set = set_of({big});
    const bool own = std::string(call) == "cuCtxGetDevice";
    if (own) set_current(create_context(0));
    fake().failures = {{call, 209}};
    const auto run = [&] {
      set.load("similarity", "fp16", kNormalize).launch(arguments(), nullptr);
    };
    const std::string message = thrown<EngineError>(run);
    EXPECT_EQ(message.find(std::string(call) +
                           " failed: CUDA_ERROR_NO_BINARY_FOR_GPU (as the test wanted)"),
              0u)
        << message;
    EXPECT_NE(message.find("on Fake GPU (sm_89), driver for CUDA 13.0; update"), std::string::npos)
        << message;
    fake().failures.clear();
    set_current(nullptr);
    EXPECT_TRUE(fake().launches.empty());
    run();  // a failure is not remembered
    EXPECT_EQ(fake().launches.size(), 1u);
    fake().launches.clear();
  }
}

TEST_F(CudaDriver, NamesTheKernel) {
  const Kernel kernel = set_of({cubin(89)}).load("similarity", "fp16", kNormalize);
  fake().failures = {{"cuLaunchKernel", 700}};
  EXPECT_EQ(
      refusal<EngineError>(kernel, arguments()),
      "cuLaunchKernel failed: CUDA_ERROR_ILLEGAL_ADDRESS (as the test wanted) in similarity fp16 "
      "NORMALIZE=1 on Fake GPU (sm_89), driver for CUDA 13.0; an earlier kernel of this process "
      "failed: run it with compute-sanitizer to find it, and restart the process");
  fake().failures = {{"cuLaunchKernel", 12345}};
  EXPECT_EQ(refusal<EngineError>(kernel, arguments()).find("cuLaunchKernel failed: error 12345 in"),
            0u);
}

TEST_F(CudaDriver, SymbolThatACubinDoesNotHave) {
  nlohmann::json wrong = cubin(89);
  wrong["symbol"] = "missing";
  const CubinSet set = set_of({wrong});
  EXPECT_NE(thrown<EngineError>([&] {
              set.load("similarity", "fp16", kNormalize);
            }).find("cuModuleGetFunction failed: CUDA_ERROR_NOT_FOUND"),
            std::string::npos);
}

}  // namespace
}  // namespace vocabseg::cuda
