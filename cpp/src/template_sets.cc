#include <map>

#include "vocabseg/error.hpp"
#include "vocabseg/text_encoder.hpp"

namespace vocabseg {
namespace {

using TemplateSets = std::map<std::string, std::vector<std::string>>;

}  // namespace

const std::vector<std::string>& template_set(const std::string& name) {
  static const TemplateSets sets = {
#include "template_sets.inc"  // made by CMake from sdk/vocabseg/assets/templates
  };
  const auto it = sets.find(name);
  if (it != sets.end()) return it->second;
  std::string known;
  for (const auto& [key, sentences] : sets) known += (known.empty() ? "" : ", ") + key;
  throw VocabularyError("unknown template set \"" + name + "\"; known are " + known);
}

}  // namespace vocabseg
