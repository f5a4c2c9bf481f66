#pragma once

#include "vocabseg/bundle.hpp"
#include "vocabseg/settings.hpp"
#include "vocabseg/vocabulary.hpp"

namespace vocabseg {

// Rows for words, with the bundle's default templates: from its stored vocabularies where these
// hold a word, else from its text tower. Throws VocabularyError if neither knows a word.
Vocabulary embed(const Bundle& bundle, const Words& words, const Settings& settings);

}  // namespace vocabseg
