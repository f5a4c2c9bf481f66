// The CPU engine. Only this pair of files knows OpenVINO.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "vocabseg/engine.hpp"

namespace vocabseg {

BackendInfo openvino_backend();
std::string openvino_version();  // "" when built without
std::unique_ptr<Engine> make_openvino_engine(const std::filesystem::path& onnx,
                                             const Settings& settings);

}  // namespace vocabseg
