// Sets of cubins that are incomplete, altered, or not what the manifest says.
#include "cuda/cubin_fixture.hpp"

namespace vocabseg::cuda {
namespace {

class CudaManifest : public CudaTest {
 protected:
  using Change = std::function<void(nlohmann::json&)>;

  // What opening a set says after a change of its manifest.
  std::string refusal_of_manifest(const Change& change) const {
    write_set(folder_.path(), {cubin(89)}, change);
    return refusal_of_set();
  }

  // After a change of its only kernel.
  std::string refusal_of_kernel(const Change& change) const {
    return refusal_of_manifest([&](nlohmann::json& manifest) { change(manifest["kernels"][0]); });
  }

  std::string refusal_of_set() const {
    try {
      open();
    } catch (const BundleError& error) {
      return error.what();
    }
    return "it was opened";
  }

  std::filesystem::path pack() const { return folder_.path() / "sm_89.cubins"; }
};

TEST_F(CudaManifest, Good) {
  write_set(folder_.path(), {cubin(80), cubin(89), cubin(89, "fp32"), cubin(89, "fp16", 0)});
  const CubinSet set = open();
  set.verify();
  ASSERT_EQ(set.cubins().size(), 4u);
  EXPECT_EQ(set.cubins()[3].variant, (Variant{{"NORMALIZE", 0}}));
  EXPECT_EQ(fake().calls["cuInit"], 0) << "reading needs no driver";
}

TEST_F(CudaManifest, Missing) {
  EXPECT_NE(refusal_of_set().find("no manifest.json; build the set again"), std::string::npos);
}

TEST_F(CudaManifest, OtherSchema) {
  const auto schema = [&](const nlohmann::json& value) {
    return refusal_of_manifest([&](nlohmann::json& manifest) { manifest["schema"] = value; });
  };
  EXPECT_NE(schema(2).find("schema is 2, expected an integer from 1 to 1"), std::string::npos);
  EXPECT_NE(schema("1").find("schema is \"1\""), std::string::npos);
  EXPECT_NE(schema(1.0).find("schema is 1.0"), std::string::npos);
  EXPECT_EQ(schema(1), "it was opened");
}

TEST_F(CudaManifest, NotJson) {
  for (const char* text : {"", "{", "[]", "{\"schema\": 1}", "{\"schema\": 1, \"kernels\": [3]}"}) {
    test::write(folder_.path() / "manifest.json", text);
    EXPECT_NE(refusal_of_set().find("manifest.json is not a manifest of cubins"), std::string::npos)
        << text;
  }
}

TEST_F(CudaManifest, EveryKeyIsNeededAndTyped) {
  const nlohmann::json whole = cubin(89);
  for (const auto& [key, value] : whole.items()) {
    const std::string name = key;  // a structured binding cannot be captured
    if (name == "constexprs" || name == "stages") continue;  // for people
    EXPECT_NE(refusal_of_kernel([&](auto& kernel) { kernel.erase(name); }), "it was opened")
        << name;
    EXPECT_NE(refusal_of_kernel([&](auto& kernel) { kernel[name] = nullptr; }), "it was opened")
        << name;
  }
  for (const char* key : {"offset", "size", "warps", "shared_bytes", "arch"}) {
    for (const nlohmann::json& value : {nlohmann::json(-1), nlohmann::json(UINT64_MAX),
                                        nlohmann::json(0.5), nlohmann::json(INT64_MAX)}) {
      EXPECT_NE(refusal_of_kernel([&](auto& kernel) { kernel[key] = value; }), "it was opened")
          << key << " " << value;
    }
  }
}

TEST_F(CudaManifest, ArgumentsThatOverlapOrAreMisplaced) {
  const auto change = [&](size_t index, const char* key, const nlohmann::json& value) {
    return refusal_of_kernel([&](auto& kernel) { kernel["arguments"][index][key] = value; });
  };
  EXPECT_NE(change(1, "offset", 4).find("offset is 4, expected an integer from 8"),
            std::string::npos);
  EXPECT_NE(change(6, "offset", 44).find("expected a multiple of its size 8"), std::string::npos);
  EXPECT_NE(change(6, "offset", 4096).find("to 4088"), std::string::npos);
  EXPECT_NE(change(1, "size", 8).find("size is 8, expected an integer from 4 to 4"),
            std::string::npos);
  EXPECT_NE(change(1, "type", "i16").find("type \"i16\", expected pointer"), std::string::npos);
  EXPECT_NE(change(1, "divisible_by", 0).find("divisible_by is 0"), std::string::npos);
  EXPECT_NE(change(4, "name", "features").find("features is there twice"), std::string::npos);
}

TEST_F(CudaManifest, GridsThatCannotBe) {
  const auto grid = [&](const nlohmann::json& value) {
    return refusal_of_kernel([&](auto& kernel) { kernel["grid"] = value; });
  };
  const nlohmann::json good = {{{"argument", "n"}, {"divisor", 1}}};
  EXPECT_NE(grid(nlohmann::json::array()).find("one to three dimensions"), std::string::npos);
  EXPECT_NE(grid({good, good, good, good}).find("one to three dimensions"), std::string::npos);
  EXPECT_NE(grid({{{{"argument", "out"}, {"divisor", 1}}}}).find("not an integer argument"),
            std::string::npos);
  EXPECT_NE(grid({{{{"argument", "n"}, {"divisor", 0}}}}).find("divisor is 0"), std::string::npos);
  EXPECT_EQ(grid({good, good, good}), "it was opened");
}

TEST_F(CudaManifest, PacksThatDoNotFit) {
  EXPECT_NE(refusal_of_kernel([](auto& kernel) { kernel["offset"] = 64; }).find("at 64"),
            std::string::npos);
  EXPECT_NE(
      refusal_of_kernel([](auto& kernel) { kernel["file"] = "other"; }).find("cannot be read"),
      std::string::npos);
  for (const char* path : {"../sm_89.cubins", "/etc/passwd", "..", "a\\b"}) {
    EXPECT_NE(
        refusal_of_kernel([&](auto& kernel) { kernel["file"] = path; }).find("without a path"),
        std::string::npos);
  }
  write_set(folder_.path(), {cubin(89)});
  std::filesystem::resize_file(pack(), std::filesystem::file_size(pack()) - 1);
  EXPECT_NE(refusal_of_set().find("expected"), std::string::npos);
  std::filesystem::remove(pack());
  EXPECT_NE(refusal_of_set().find("cannot be read"), std::string::npos);
}

TEST_F(CudaManifest, Repeated) {
  EXPECT_NE(refusal_of_manifest([](nlohmann::json& manifest) {
              manifest["kernels"].push_back(manifest["kernels"][0]);
            }).find("similarity fp16 NORMALIZE=1 for sm_89 is there twice"),
            std::string::npos);
}

TEST_F(CudaManifest, ScratchMemoryIsRefused) {
  EXPECT_NE(refusal_of_kernel([](auto& kernel) {
              kernel["global_scratch_bytes"] = 128;
            }).find("global_scratch_bytes is 128"),
            std::string::npos);
}

TEST_F(CudaManifest, AFlippedByteIsNeverLoaded) {
  write_set(folder_.path(), {cubin(89), cubin(89, "fp32")});
  std::fstream(pack(), std::ios::in | std::ios::out | std::ios::binary).seekp(3).put('X');
  const CubinSet set = open();
  EXPECT_THROW(set.verify(), BundleError);
  EXPECT_THROW(set.load("similarity", "fp16", kNormalize), BundleError);
  EXPECT_EQ(fake().calls["cuModuleLoadData"], 0);
  set.load("similarity", "fp32", kNormalize).launch(arguments(), nullptr);  // the other is whole
}

TEST_F(CudaManifest, APackThatShrinksLaterIsSeen) {
  const CubinSet set = set_of({cubin(89)});
  std::filesystem::resize_file(pack(), 3);
  EXPECT_THROW(set.load("similarity", "fp16", kNormalize), BundleError);
}

}  // namespace
}  // namespace vocabseg::cuda
