#include "vocabseg/vocabulary.hpp"

#include <gtest/gtest.h>

#include "vocabseg/error.hpp"
#include "vocabseg/text_encoder.hpp"

namespace vocabseg {
namespace {

using Strings = std::vector<std::string>;

TEST(ParseVocabulary, ClassesSynonymsBackground) {
  const Words words =
      parse_vocabulary({"road", " car ,  pick-up   truck", "Background: sky, cloud"});
  EXPECT_EQ(words.names, (Strings{"road", "car", "sky"}));
  EXPECT_EQ(words.queries, (Strings{"road", "car", "pick-up truck", "sky", "cloud"}));
  EXPECT_EQ(words.query_to_class, (std::vector<int32_t>{0, 1, 1, 2, 2}));
  EXPECT_EQ(words.background, (std::vector<int32_t>{2}));
}

TEST(ParseVocabulary, Errors) {
  const std::vector<Strings> cases = {
      {},           {""},           {"   "},         {"car,"},        {",car"},           {"a,,b"},
      {"car; bus"}, {"car", "car"}, {"Car", "cAR "}, {"background:"}, {"background: sky"}};
  for (const Strings& entries : cases) {
    EXPECT_THROW(parse_vocabulary(entries), VocabularyError)
        << (entries.empty() ? "(none)" : entries.front());
  }
  EXPECT_THROW(parse_vocabulary(Strings(65536, "x")), VocabularyError);
}

TEST(TemplateSets, ComeWithTheLibrary) {
  EXPECT_EQ(template_set("openai80").size(), 80u);
  EXPECT_EQ(template_set("simple7").size(), 7u);
  EXPECT_EQ(template_set("photo"), Strings{"a photo of a {}."});
  EXPECT_THROW(template_set("none"), VocabularyError);
}

}  // namespace
}  // namespace vocabseg
