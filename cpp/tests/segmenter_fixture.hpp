#pragma once

#include <gtest/gtest.h>

#include "tiny_bundle.hpp"

namespace vocabseg::test {

// Segmenters of the tiny bundle with the colour engine.
class SegmenterTest : public ::testing::Test {
 protected:
  Segmenter make(const nlohmann::json& manifest = tiny_manifest(), int threads = 2,
                 std::function<void()> on_run = {}) {
    write_bundle(folder_.path(), manifest);
    Settings settings;
    settings.threads = threads;
    return Segmenter(Bundle::open(folder_.path()),
                     {std::make_unique<ColourEngine>(std::move(on_run)), nullptr}, settings);
  }

  static nlohmann::json with_steps(const nlohmann::json& steps) {
    nlohmann::json manifest = tiny_manifest();
    manifest["post_steps"] = steps;
    return manifest;
  }

  TemporaryFolder folder_;
};

}  // namespace vocabseg::test
