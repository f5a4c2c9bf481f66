#include "manifest.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "manifest_fields.hpp"
#include "post_steps.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

using nlohmann::json;

constexpr int64_t kMaxLength = 1 << 16;  // of an extra output's dimension

WindowSpec parse_window(const json& node) {
  WindowSpec window;
  const auto mode = node.at("mode").get<std::string>();
  const std::string resize = node.value("resize", "bilinear");
  if (mode != "slide" && mode != "whole") unknown("window.mode", mode, "slide or whole");
  if (resize != "bilinear" && resize != "bicubic") {
    unknown("window.resize", resize, "bilinear or bicubic");
  }
  window.mode = mode == "slide" ? WindowMode::kSlide : WindowMode::kWhole;
  window.resize = resize == "bilinear" ? ResizeFilter::kBilinear : ResizeFilter::kBicubic;
  window.height = positive(node, "height");
  window.width = positive(node, "width");
  if (window.mode == WindowMode::kSlide) {
    window.stride_y = node.at("stride").at(0).get<int>();
    window.stride_x = node.at("stride").at(1).get<int>();
    window.short_side = positive(node, "short_side");
    window.long_side = positive(node, "long_side");
    if (window.stride_y <= 0 || window.stride_x <= 0) {
      throw BundleError("manifest.json: window.stride must be two positive numbers");
    }
  }
  return window;
}

EncoderSpec parse_encoder(const json& node) {
  EncoderSpec encoder;
  encoder.input = node.at("input").get<std::string>();
  encoder.output = node.at("output").get<std::string>();
  encoder.variants = node.at("variants").get<std::map<std::string, std::string>>();
  if (!encoder.variants.count("float32")) {
    throw BundleError("manifest.json: an encoder has no \"float32\" variant");
  }
  if (given(node, "extra_outputs")) {
    encoder.extra_outputs =
        node["extra_outputs"].get<std::map<std::string, std::vector<int64_t>>>();
  }
  for (const auto& [name, shape] : encoder.extra_outputs) {
    if (shape.empty() || shape.size() > 3 || std::any_of(shape.begin(), shape.end(), [](int64_t n) {
          return n < 1 || n > kMaxLength;
        })) {
      throw BundleError("manifest.json: extra_outputs." + name +
                        " must be one to three lengths of 1 to " + std::to_string(kMaxLength));
    }
  }
  return encoder;
}

TokenizerSpec parse_tokenizer(const json& node) {
  TokenizerSpec tokenizer;
  const auto kind = node.at("kind").get<std::string>();
  if (kind != "clip_bpe") unknown("tokenizer.kind", kind, "clip_bpe");
  tokenizer.merges = node.at("merges").get<std::string>();
  tokenizer.vocab_size = positive(node, "vocab_size");
  tokenizer.context_length = positive(node, "context_length");
  return tokenizer;
}

Manifest parse(const json& root) {
  const int schema = root.at("schema_version").get<int>();
  if (schema != kSchemaVersion) {
    throw BundleError("manifest.json: schema_version is " + std::to_string(schema) + ", expected " +
                      std::to_string(kSchemaVersion) +
                      "; update vocabseg or export the bundle again with `vocabseg export`");
  }
  Manifest manifest;
  manifest.name = root.value("name", "");
  manifest.created_by = root.value("created_by", "");
  manifest.method = root.at("method").at("name").get<std::string>();
  manifest.patch_size = positive(root.at("model"), "patch_size");
  manifest.embed_dim = positive(root.at("model"), "embed_dim");
  manifest.grid_h = root.at("grid").at(0).get<int>();
  manifest.grid_w = root.at("grid").at(1).get<int>();
  if (manifest.grid_h <= 0 || manifest.grid_w <= 0) {
    throw BundleError("manifest.json: grid must be two positive numbers");
  }
  manifest.window = parse_window(root.at("window"));
  manifest.mean = root.at("normalization").at("mean").get<std::array<float, 3>>();
  manifest.std = root.at("normalization").at("std").get<std::array<float, 3>>();
  for (const float std : manifest.std) {
    if (!(std > 0)) throw BundleError("manifest.json: normalization.std must be positive");
  }
  manifest.logit_scale = root.at("logit_scale").get<float>();
  if (!(manifest.logit_scale > 0) || !std::isfinite(manifest.logit_scale)) {
    throw BundleError("manifest.json: logit_scale must be a positive number");
  }
  manifest.threshold = root.value("threshold", 0.0f);
  if (given(root, "post_steps")) manifest.post_steps = parse_post_steps(root["post_steps"]);
  manifest.image_encoder = parse_encoder(root.at("image_encoder"));
  if (given(root, "feedback_encoder")) {
    manifest.feedback_encoder = parse_encoder(root["feedback_encoder"]);
  }
  check_outputs(manifest);
  if (given(root, "text_encoder")) manifest.text_encoder = parse_encoder(root["text_encoder"]);
  if (given(root, "tokenizer")) manifest.tokenizer = parse_tokenizer(root["tokenizer"]);
  manifest.templates = root.value("templates", "");
  if (given(root, "vocabularies")) {
    manifest.vocabularies = root["vocabularies"].get<std::map<std::string, std::string>>();
  }
  for (const auto& [name, entry] : root.at("files").items()) {
    manifest.sha256[name] = entry.at("sha256").get<std::string>();
  }
  return manifest;
}

}  // namespace

Manifest parse_manifest(const std::string& text) {
  try {
    return parse(json::parse(text));
  } catch (const json::exception& error) {
    throw BundleError(std::string("manifest.json is not a valid manifest: ") + error.what() +
                      "; export the bundle again with `vocabseg export`");
  }
}

}  // namespace vocabseg
