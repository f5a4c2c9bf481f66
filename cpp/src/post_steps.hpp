// The post_steps of manifest.json.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "vocabseg/bundle.hpp"

namespace vocabseg {

// Throws BundleError on an unknown step, one that is given twice, or values that cannot be.
PostSteps parse_post_steps(const nlohmann::json& steps);

// Throws BundleError unless the encoders give what the steps need.
void check_outputs(const Manifest& manifest);

}  // namespace vocabseg
