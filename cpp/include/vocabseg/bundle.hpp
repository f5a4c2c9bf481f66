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

// SCLIP: classes with at most this share of all foreground pixels are dropped.
struct AreaThreshold {
  float threshold = 0;
};

// Pixel-adaptive refinement of the scores.
struct Refinement {
  int steps = 0;
  std::vector<int> dilations;
};

// ResCLIP: labels of a first pass say which patches share a region, and the feedback encoder makes
// the features again with that.
struct Feedback {
  float threshold = 0;    // least probability of a pixel's label; others count as the first word
  float logit_scale = 1;  // of the first pass
  Refinement refinement;  // of the first pass; 0 steps: none
  bool connected = true;  // see kernels/same_region
  bool strict = false;
};

// CLIPtrase: patches are clustered by their rows of an affinity (the extra output "affinity" of the
// image encoder), and every cluster's segment takes one class.
struct SegmentVote {
  enum class Rule { kMajority, kMean };  // of its pixels' labels; the best of their mean scores
  float eps = 0;                         // DBSCAN
  int min_samples = 0;
  int upsample = 0, median = 0;  // of a cluster's map: factor, and side of the median's window
  Rule rule = Rule::kMajority;
};

// Steps after the image network that cannot live in it.
struct PostSteps {
  std::optional<AreaThreshold> area_threshold;
  std::optional<Refinement> pamr;
  std::optional<Feedback> feedback;
  std::optional<SegmentVote> segment_vote;
  // CLIPtrase on VOC20: scores are multiplied by those of the class token (the extra output
  // "class_features").
  bool class_token = false;
};

// A network: names of its input and output, and one file per precision. The image encoder may have
// further outputs; the feedback encoder has them as further inputs.
struct EncoderSpec {
  std::string input, output;
  std::map<std::string, std::vector<int64_t>> extra_outputs;  // name -> shape for one window
  std::map<std::string, std::string> variants;                // "float32" -> "image.onnx"
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
  PostSteps post_steps;
  EncoderSpec image_encoder;
  std::optional<EncoderSpec> feedback_encoder;
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
