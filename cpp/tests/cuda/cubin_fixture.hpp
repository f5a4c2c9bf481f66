// Sets of cubins that are only text, and the fake driver that runs them.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <memory>

#include "cuda/fake_cuda.hpp"
#include "tiny_bundle.hpp"
#include "vocabseg/cuda_kernels.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::cuda {

inline nlohmann::json argument(const std::string& name, const std::string& type, int offset,
                               int divisible_by = 1) {
  const int size = type == "i32" || type == "f32" ? 4 : 8;
  return {{"name", name},
          {"type", type},
          {"offset", offset},
          {"size", size},
          {"divisible_by", divisible_by}};
}

// A kernel with an argument of each type; its grid is ceil(n / 64) x (total * ceil(n / 100)).
inline nlohmann::json cubin(int arch, const std::string& dtype = "fp16", int normalize = 1) {
  return {{"kernel", "similarity"},
          {"dtype", dtype},
          {"variant", {{"NORMALIZE", normalize}}},
          {"arch", arch},
          {"exact_arch", false},
          {"symbol", "_similarity"},
          {"constexprs", {{"BLOCK_N", 64}}},
          {"warps", 4},
          {"stages", 2},
          {"shared_bytes", 8192},
          {"global_scratch_bytes", 0},
          {"profile_scratch_bytes", 0},
          {"arguments",
           {argument("features", "pointer", 0, 16), argument("n", "i32", 8, 16),
            argument("scale", "f32", 12), argument("total", "i64", 16),
            argument("out", "pointer", 24, 16), argument("global_scratch", "pointer", 32),
            argument("profile_scratch", "pointer", 40)}},
          {"grid",
           {{{{"argument", "n"}, {"divisor", 64}}},
            {{{"argument", "total"}, {"divisor", 1}}, {{"argument", "n"}, {"divisor", 100}}}}}};
}

inline std::string image(const nlohmann::json& cubin) {
  return "image-" + cubin["dtype"].get<std::string>() + "-sm_" +
         std::to_string(cubin["arch"].get<int>()) + (cubin["exact_arch"] ? "a" : "") + "-" +
         cubin["variant"].dump();
}

// One pack per architecture, cubins at multiples of 64 bytes. `change` edits the finished manifest.
inline void write_set(const std::filesystem::path& folder,
                      const std::vector<nlohmann::json>& cubins,
                      const std::function<void(nlohmann::json&)>& change = {}) {
  nlohmann::json manifest = {{"schema", 1}, {"kernels", cubins}};
  std::map<std::string, std::string> packs;
  for (nlohmann::json& cubin : manifest["kernels"]) {
    const std::string file = "sm_" + std::to_string(cubin["arch"].get<int>()) + ".cubins";
    const std::string bytes = image(cubin) + '\0';
    std::string& pack = packs[file];
    pack.resize((pack.size() + 63) / 64 * 64);
    Sha256 hash;
    hash.update(bytes.data(), bytes.size());
    cubin["file"] = file, cubin["offset"] = pack.size(), cubin["size"] = bytes.size();
    cubin["sha256"] = hash.hex_digest();
    pack += bytes;
  }
  for (const auto& [name, bytes] : packs) test::write(folder / name, bytes);
  if (change) change(manifest);
  test::write(folder / "manifest.json", manifest.dump());
}

class CudaTest : public ::testing::Test {
 protected:
  CudaTest() : library_(dlopen(FAKE_CUDA, RTLD_NOW | RTLD_LOCAL), dlclose) {
    if (!library_) throw std::runtime_error(dlerror());
    symbol<void()>("fake_cuda_reset")();
  }

  // Whatever a test did: nothing stays loaded or retained, and nothing was misused.
  void TearDown() override {
    EXPECT_TRUE(fake().modules.empty());
    EXPECT_TRUE(fake().memory.empty() && fake().pinned.empty());
    EXPECT_TRUE(fake().streams.empty() && fake().events.empty() && fake().graphs.empty());
    for (const auto& [device, count] : fake().retained) EXPECT_EQ(count, 0) << device;
    EXPECT_EQ(fake().misuse, std::vector<std::string>{});
  }

  template <class Signature>
  Signature* symbol(const char* name) const {
    return reinterpret_cast<Signature*>(dlsym(library_.get(), name));
  }

  fake_cuda::Driver& fake() const { return *symbol<fake_cuda::Driver*()>("fake_cuda_driver")(); }

  void set_arch(int arch) const {
    fake().devices[0].major = arch / 10, fake().devices[0].minor = arch % 10;
  }

  fake_cuda::Context* create_context(int device) const {
    return symbol<fake_cuda::Context*(int)>("fake_cuda_create_context")(device);
  }
  void set_current(fake_cuda::Context* context) const {
    symbol<int(fake_cuda::Context*)>("cuCtxSetCurrent")(context);
  }
  fake_cuda::Context* current() const {
    fake_cuda::Context* context = nullptr;
    symbol<int(fake_cuda::Context**)>("cuCtxGetCurrent")(&context);
    return context;
  }

  CubinSet open() const { return CubinSet::open(folder_.path(), FAKE_CUDA); }

  CubinSet set_of(const std::vector<nlohmann::json>& cubins) const {
    write_set(folder_.path(), cubins);
    return open();
  }

  // Arguments that fit cubin().
  static std::vector<Argument> arguments() {
    return {{"out", int64_t{0x2000}},
            {"features", reinterpret_cast<const void*>(0x1000)},
            {"n", 160},
            {"scale", 0.5},
            {"total", 3}};
  }

  // What launching these arguments throws.
  template <class Error = ShapeError>
  static std::string refusal(const Kernel& kernel, const std::vector<Argument>& arguments) {
    try {
      kernel.launch(arguments, nullptr);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  std::unique_ptr<void, int (*)(void*)> library_;
  test::TemporaryFolder folder_;
};

const Variant kNormalize = {{"NORMALIZE", 1}};

}  // namespace vocabseg::cuda
