// A bundle and an engine small enough to check by hand: the feature of a patch is its mean colour.
#pragma once

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sha256.hpp"
#include "vocabseg/vocabseg.hpp"

namespace vocabseg::test {

constexpr int kPatch = 8, kWindow = 32, kGrid = kWindow / kPatch, kPatches = kGrid * kGrid,
              kDim = 4;

// A folder that is deleted at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "vocabseg-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline nlohmann::json tiny_manifest() {
  return {
      {"schema_version", 1},
      {"name", "tiny"},
      {"model", {{"patch_size", kPatch}, {"embed_dim", kDim}}},
      {"method", {{"name", "vanilla"}}},
      {"window",
       {{"mode", "slide"},
        {"height", kWindow},
        {"width", kWindow},
        {"stride", {16, 16}},
        {"short_side", kWindow},
        {"long_side", 2048}}},
      {"grid", {kGrid, kGrid}},
      {"normalization", {{"mean", {0, 0, 0}}, {"std", {255, 255, 255}}}},
      {"logit_scale", 40.0},
      {"tokenizer",
       {{"kind", "clip_bpe"},
        {"merges", "merges.txt"},
        {"vocab_size", 517},
        {"context_length", 8}}},
      {"image_encoder",
       {{"input", "windows"}, {"output", "features"}, {"variants", {{"float32", "image.onnx"}}}}},
      {"text_encoder", nullptr},
      {"templates", "photo"}};
}

// With the step "feedback": a second network on the first one's tokens.
inline nlohmann::json feedback_manifest() {
  nlohmann::json manifest = tiny_manifest();
  manifest["post_steps"] = {{{"name", "feedback"},
                             {"threshold", 0.0},
                             {"logit_scale", 40.0},
                             {"pamr_steps", 0},
                             {"dilations", {1}},
                             {"connected", false},
                             {"strict", true}}};
  manifest["image_encoder"]["extra_outputs"] = {{"tokens", {kPatches, kDim}}};
  manifest["feedback_encoder"] = {
      {"input", "shared"}, {"output", "features"}, {"variants", {{"float32", "image.onnx"}}}};
  return manifest;
}

// Writes the files of a bundle, then the manifest with their hashes.
inline void write_bundle(const std::filesystem::path& folder, nlohmann::json manifest) {
  write(folder / "image.onnx", "not a network; tests give an engine of their own");
  write(folder / "merges.txt", "r o\nro a\nroa d</w>\n");
  for (const char* name : {"image.onnx", "merges.txt"}) {
    manifest["files"][name]["sha256"] = sha256_of_file(folder / name);
  }
  write(folder / "manifest.json", manifest.dump());
}

// Unit rows (r, g, b, 0.1) of each patch's mean colour; calls `on_run` first.
class ColourEngine final : public Engine {
 public:
  explicit ColourEngine(std::function<void()> on_run = {}) : on_run_(std::move(on_run)) {}

  void run(const TensorMap& inputs, const TensorMap& outputs, Stream*) override {
    if (on_run_) on_run_();
    const TensorView& windows = inputs.at("windows");
    const auto* pixels = static_cast<const float*>(windows.data);
    auto* features = static_cast<float*>(outputs.at("features").data);
    for (int64_t w = 0; w < windows.shape[0]; ++w) {
      for (int patch = 0; patch < kGrid * kGrid; ++patch, features += kDim) {
        encode(pixels + w * 3 * kWindow * kWindow, patch / kGrid, patch % kGrid, features);
      }
    }
  }

  std::string id() const override { return "colour/float32"; }

 private:
  static void encode(const float* window, int py, int px, float* feature) {
    float square = 0.01f;
    for (int c = 0; c < 3; ++c) {
      float sum = 0;
      for (int y = 0; y < kPatch; ++y) {
        for (int x = 0; x < kPatch; ++x) {
          sum += window[(c * kWindow + py * kPatch + y) * kWindow + px * kPatch + x];
        }
      }
      feature[c] = sum / (kPatch * kPatch);
      square += feature[c] * feature[c];
    }
    feature[3] = 0.1f;
    for (int d = 0; d < kDim; ++d) feature[d] /= std::sqrt(square);
  }

  std::function<void()> on_run_;
};

// An RGB picture with vertical stripes of equal width.
struct Stripes {
  int width, height;
  std::vector<uint8_t> pixels;

  Stripes(int w, int h, const std::vector<std::array<uint8_t, 3>>& colours) : width(w), height(h) {
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        const auto& colour = colours[static_cast<size_t>(x) * colours.size() / w];
        pixels.insert(pixels.end(), colour.begin(), colour.end());
      }
    }
  }

  ImageView view() const { return {pixels.data(), width, height}; }
};

constexpr std::array<uint8_t, 3> kRed = {255, 0, 0}, kGreen = {0, 255, 0}, kBlue = {0, 0, 255};

// One class per entry of `colours`, in order: 0 red, 1 green, 2 blue.
inline Vocabulary colour_vocabulary(const std::vector<int>& colours,
                                    std::vector<int32_t> background = {}) {
  Vocabulary vocabulary;
  vocabulary.dim = kDim;
  vocabulary.words.background = std::move(background);
  for (const int colour : colours) {
    const auto index = static_cast<int32_t>(vocabulary.words.names.size());
    vocabulary.words.names.push_back("colour " + std::to_string(index));
    vocabulary.words.queries.push_back(vocabulary.words.names.back());
    vocabulary.words.query_to_class.push_back(index);
    for (int d = 0; d < kDim; ++d) vocabulary.embeddings.push_back(d == colour ? 1.0f : 0.0f);
  }
  return vocabulary;
}

}  // namespace vocabseg::test
