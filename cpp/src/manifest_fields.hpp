// Reading fields of manifest.json.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "vocabseg/error.hpp"

namespace vocabseg {

// Keys whose null or absence means "not given".
inline bool given(const nlohmann::json& node, const char* key) {
  return node.contains(key) && !node[key].is_null();
}

inline int positive(const nlohmann::json& node, const char* key) {
  const int value = node.at(key).get<int>();
  if (value <= 0) {
    throw BundleError(std::string("manifest.json: ") + key + " is " + std::to_string(value) +
                      ", expected a positive number");
  }
  return value;
}

[[noreturn]] inline void unknown(const char* key, const std::string& value, const char* expected) {
  throw BundleError(std::string("manifest.json: ") + key + " is \"" + value + "\", expected " +
                    expected + "; a newer vocabseg may know it");
}

}  // namespace vocabseg
