#pragma once

#include <string>

#include "vocabseg/bundle.hpp"

namespace vocabseg {

constexpr int kSchemaVersion = 1;

// Throws BundleError on text that is not a manifest of a schema that this version reads.
Manifest parse_manifest(const std::string& json);

}  // namespace vocabseg
