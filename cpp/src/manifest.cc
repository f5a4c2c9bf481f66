#include "manifest.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

using nlohmann::json;

// Keys whose null or absence means "not given".
bool given(const json& node, const char* key) { return node.contains(key) && !node[key].is_null(); }

int positive(const json& node, const char* key) {
  const int value = node.at(key).get<int>();
  if (value <= 0) {
    throw BundleError(std::string("manifest.json: ") + key + " is " + std::to_string(value) +
                      ", expected a positive number");
  }
  return value;
}

[[noreturn]] void unknown(const char* key, const std::string& value, const char* expected) {
  throw BundleError(std::string("manifest.json: ") + key + " is \"" + value + "\", expected " +
                    expected + "; a newer vocabseg may know it");
}

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

PostStep parse_post_step(const json& node) {
  PostStep step;
  const auto name = node.at("name").get<std::string>();
  if (name == "area_threshold") {
    step.kind = PostStep::Kind::kAreaThreshold;
    step.threshold = node.at("threshold").get<float>();
  } else if (name == "pamr") {
    step.kind = PostStep::Kind::kPamr;
    step.steps = positive(node, "steps");
    step.dilations = node.at("dilations").get<std::vector<int>>();
  } else {
    unknown("post_steps", name, "area_threshold or pamr");
  }
  return step;
}

EncoderSpec parse_encoder(const json& node) {
  EncoderSpec encoder;
  encoder.input = node.at("input").get<std::string>();
  encoder.output = node.at("output").get<std::string>();
  encoder.variants = node.at("variants").get<std::map<std::string, std::string>>();
  if (!encoder.variants.count("float32")) {
    throw BundleError("manifest.json: an encoder has no \"float32\" variant");
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
  if (given(root, "post_steps")) {
    for (const json& step : root["post_steps"]) {
      manifest.post_steps.push_back(parse_post_step(step));
    }
  }
  manifest.image_encoder = parse_encoder(root.at("image_encoder"));
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
