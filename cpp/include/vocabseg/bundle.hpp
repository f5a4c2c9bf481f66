// A bundle: the folder that holds a model, made by `vocabseg export` and read by every engine.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vocabseg {

enum class WindowMode { kSlide, kWhole };
enum class ResizeFilter { kBilinear, kBicubic };

// How a frame becomes windows. Lengths in pixels; see docs of the bundle format.
struct WindowSpec {
  WindowMode mode = WindowMode::kSlide;
  int height = 0, width = 0;          // of a window
  int stride_y = 0, stride_x = 0;     // slide only
  int short_side = 0, long_side = 0;  // slide only
  ResizeFilter resize = ResizeFilter::kBilinear;
};

// A step after the similarity that cannot live in the network.
struct PostStep {
  enum class Kind { kAreaThreshold, kPamr };
  Kind kind;
  float threshold = 0;         // area_threshold: smallest share of all foreground pixels
  int steps = 0;               // pamr
  std::vector<int> dilations;  // pamr
};

// A network: names of its input and output, and one file per precision.
struct EncoderSpec {
  std::string input, output;
  std::map<std::string, std::string> variants;  // "float32" -> "image.onnx"
};

struct TokenizerSpec {
  std::string merges;  // file
  int vocab_size = 0;
  int context_length = 0;
};

// What manifest.json says and the core needs.
struct Manifest {
  std::string name, created_by, method;
  int patch_size = 0;
  int embed_dim = 0;
  int grid_h = 0, grid_w = 0;  // patches of a window
  WindowSpec window;
  std::array<float, 3> mean{}, std{};  // on the 0..255 scale
  float logit_scale = 1;
  float threshold = 0;
  std::vector<PostStep> post_steps;
  EncoderSpec image_encoder;
  std::optional<EncoderSpec> text_encoder;
  std::optional<TokenizerSpec> tokenizer;
  std::string templates;                            // default template set
  std::map<std::string, std::string> vocabularies;  // name -> file
  std::map<std::string, std::string> sha256;        // every file but the manifest -> hash
};

// An opened and verified bundle. Cheap to copy.
class Bundle {
 public:
  // Reads manifest.json and checks the size and SHA-256 of every file that it lists. Throws
  // BundleError if the folder or a file is missing, a hash differs, the schema is not one that this
  // version reads, or a path leaves the folder (symbolic links included).
  static Bundle open(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  const Manifest& manifest() const { return manifest_; }
  const std::string& manifest_json() const { return json_; }

  // The path of a file that the manifest lists; throws BundleError for any other.
  std::filesystem::path file(const std::string& name) const;

 private:
  Bundle(std::filesystem::path folder, std::string json);

  std::filesystem::path folder_;
  std::string json_;
  Manifest manifest_;
};

}  // namespace vocabseg
