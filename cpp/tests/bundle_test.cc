#include "vocabseg/bundle.hpp"

#include <gtest/gtest.h>

#include "thrown.hpp"
#include "tiny_bundle.hpp"

namespace vocabseg::test {
namespace {

namespace fs = std::filesystem;

class BundleTest : public ::testing::Test {
 protected:
  const fs::path& folder() const { return temporary_.path(); }

  void expect_error(const std::string& part) {
    const std::string message = thrown<BundleError>([this] { Bundle::open(folder()); });
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }

  TemporaryFolder temporary_;
};

TEST_F(BundleTest, OpensWhatIsIntact) {
  write_bundle(folder(), tiny_manifest());
  const Bundle bundle = Bundle::open(folder());
  EXPECT_EQ(bundle.manifest().name, "tiny");
  EXPECT_EQ(bundle.manifest().grid_h, kGrid);
  EXPECT_EQ(bundle.manifest().window.stride_y, 16);
  EXPECT_FALSE(bundle.manifest().text_encoder);
  EXPECT_TRUE(fs::exists(bundle.file("merges.txt")));
  EXPECT_THROW(bundle.file("other.txt"), BundleError);
  EXPECT_THROW(bundle.file("manifest.json"), BundleError);
}

TEST_F(BundleTest, MovedBundleOpens) {
  write_bundle(folder(), tiny_manifest());
  const TemporaryFolder elsewhere;
  fs::copy(folder(), elsewhere.path() / "moved", fs::copy_options::recursive);
  EXPECT_EQ(Bundle::open(elsewhere.path() / "moved").manifest().name, "tiny");
}

TEST_F(BundleTest, MissingFolderOrManifest) {
  EXPECT_THROW(Bundle::open(folder() / "nothing"), BundleError);
  expect_error("manifest.json");
}

TEST_F(BundleTest, OneAlteredByte) {
  write_bundle(folder(), tiny_manifest());
  std::fstream file(folder() / "image.onnx", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(5).put('#');
  file.close();
  expect_error("altered");
}

TEST_F(BundleTest, MissingFile) {
  write_bundle(folder(), tiny_manifest());
  fs::remove(folder() / "merges.txt");
  expect_error("missing");
}

TEST_F(BundleTest, PathsStayInside) {
  const TemporaryFolder outside;
  write(outside.path() / "secret", "x");
  for (const std::string& name :
       {"../" + outside.path().filename().string() + "/secret",
        (outside.path() / "secret").string(), std::string("a/../../x"), std::string("")}) {
    nlohmann::json manifest = tiny_manifest();
    manifest["files"][name]["sha256"] = sha256_of_file(outside.path() / "secret");
    write_bundle(folder(), manifest);
    EXPECT_THROW(Bundle::open(folder()), BundleError) << name;
  }
}

TEST_F(BundleTest, SymbolicLinksStayInside) {
  const TemporaryFolder outside;
  write(outside.path() / "secret", "x");
  fs::create_symlink(outside.path() / "secret", folder() / "link");
  nlohmann::json manifest = tiny_manifest();
  manifest["files"]["link"]["sha256"] = sha256_of_file(outside.path() / "secret");
  write_bundle(folder(), manifest);
  expect_error("leaves the folder");
}

TEST_F(BundleTest, EveryNamedFileIsListed) {
  nlohmann::json manifest = tiny_manifest();
  manifest["image_encoder"]["variants"]["bfloat16"] = "image.bf16.onnx";
  write_bundle(folder(), manifest);
  write(folder() / "image.bf16.onnx", "not listed");
  expect_error("not listed");
}

TEST_F(BundleTest, OtherSchema) {
  nlohmann::json manifest = tiny_manifest();
  manifest["schema_version"] = 2;
  write_bundle(folder(), manifest);
  expect_error("schema_version is 2");
}

TEST_F(BundleTest, UnknownNames) {
  const auto with = [](const char* pointer, const nlohmann::json& value) {
    nlohmann::json manifest = tiny_manifest();
    manifest[nlohmann::json::json_pointer(pointer)] = value;
    return manifest;
  };
  write_bundle(folder(), with("/post_steps", {{{"name", "sharpen"}}}));
  expect_error("sharpen");
  write_bundle(folder(), with("/window/mode", "tiles"));
  expect_error("tiles");
  write_bundle(folder(), with("/window/resize", "lanczos"));
  expect_error("lanczos");
  write_bundle(folder(), with("/tokenizer/kind", "words"));
  expect_error("words");
  write_bundle(folder(), with("/something_new", 1));
  EXPECT_NO_THROW(Bundle::open(folder()));
}

TEST_F(BundleTest, WrongTypesAndValues) {
  const std::pair<const char*, nlohmann::json> cases[] = {
      {"/grid", "4x4"},           {"/grid", {0, 4}},          {"/logit_scale", -1},
      {"/window/height", "tall"}, {"/window/stride", {0, 1}}, {"/normalization/std", {1, 0, 1}},
      {"/files", nullptr},        {"/image_encoder", {}},     {"/schema_version", "1"}};
  for (const auto& [pointer, value] : cases) {
    nlohmann::json manifest = tiny_manifest();
    manifest[nlohmann::json::json_pointer(pointer)] = value;
    write(folder() / "manifest.json", manifest.dump());
    EXPECT_THROW(Bundle::open(folder()), BundleError) << pointer;
  }
  for (const char* text : {"", "{", "[]", "null", "{\"schema_version\": 1}"}) {
    write(folder() / "manifest.json", text);
    EXPECT_THROW(Bundle::open(folder()), BundleError) << text;
  }
}

}  // namespace
}  // namespace vocabseg::test
