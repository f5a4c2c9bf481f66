#include "safetensors.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "tiny_bundle.hpp"

namespace vocabseg::test {
namespace {

std::string with_length(const std::string& header, const std::string& data) {
  std::string file(8, '\0');
  for (size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(uint64_t{header.size()} >> (8 * i));
  return file + header + data;
}

template <class T>
std::string bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// Two classes, "road" and "car" with the synonym "truck"; rows of width 2.
std::string stored_vocabulary() {
  const nlohmann::json header = {
      {"__metadata__",
       {{"names", R"(["road","car"])"},
        {"queries", R"(["road","car","truck"])"},
        {"background", "[0]"},
        {"templates", "photo"}}},
      {"embeddings", {{"dtype", "F32"}, {"shape", {3, 2}}, {"data_offsets", {0, 24}}}},
      {"query_to_class", {{"dtype", "I64"}, {"shape", {3}}, {"data_offsets", {24, 48}}}}};
  return with_length(header.dump(),
                     bytes<float>({1, 0, 0, 1, 0.6f, 0.8f}) + bytes<int64_t>({0, 1, 1}));
}

class StoredVocabularyTest : public ::testing::Test {
 protected:
  Vocabulary load(const std::string& content) {
    write(folder_.path() / "v.safetensors", content);
    return Vocabulary::load(folder_.path() / "v.safetensors");
  }

  std::string replaced(const std::string& from, const std::string& to) {
    std::string content = stored_vocabulary();
    const size_t at = content.find(from);
    EXPECT_NE(at, std::string::npos);
    EXPECT_EQ(from.size(), to.size());
    return content.replace(at, from.size(), to);
  }

  TemporaryFolder folder_;
};

TEST_F(StoredVocabularyTest, Loads) {
  const Vocabulary vocabulary = load(stored_vocabulary());
  EXPECT_EQ(vocabulary.words.names, (std::vector<std::string>{"road", "car"}));
  EXPECT_EQ(vocabulary.words.query_to_class, (std::vector<int32_t>{0, 1, 1}));
  EXPECT_EQ(vocabulary.words.background, (std::vector<int32_t>{0}));
  EXPECT_EQ(vocabulary.dim, 2);
  EXPECT_FLOAT_EQ(vocabulary.embeddings[5], 0.8f);
}

TEST_F(StoredVocabularyTest, EveryTruncationIsAnError) {
  const std::string whole = stored_vocabulary();
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(load(whole.substr(0, size)), VocabularyError) << size;
  }
}

TEST_F(StoredVocabularyTest, AlteredBytesNeverCrash) {
  const std::string whole = stored_vocabulary();
  for (size_t i = 0; i < whole.size() - 48; ++i) {
    for (const char value : {'\0', '\xFF', '9', '"', '['}) {
      std::string content = whole;
      content[i] = value;
      try {
        load(content);
      } catch (const VocabularyError&) {
      }
    }
  }
}

TEST_F(StoredVocabularyTest, OffsetsAndShapesAreChecked) {
  EXPECT_THROW(load(replaced("[0,24]", "[0,99]")), VocabularyError);
  EXPECT_THROW(load(replaced("[24,48]", "[48,24]")), VocabularyError);
  EXPECT_THROW(load(replaced("[0,24]", "[-8,9]")), VocabularyError);
  EXPECT_THROW(load(replaced("[3,2]", "[2,3]")), VocabularyError);
  EXPECT_THROW(load(replaced("\"F32\"", "\"F64\"")), VocabularyError);
  EXPECT_THROW(load(replaced("\"F32\"", "\"X99\"")), VocabularyError);
  EXPECT_THROW(load(replaced("embeddings", "embeddinks")), VocabularyError);
  EXPECT_THROW(load(replaced("\"[0]\"", "\"[7]\"")), VocabularyError);
}

TEST_F(StoredVocabularyTest, HugeShapesDoNotOverflow) {
  const std::string header =
      R"({"embeddings":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})";
  EXPECT_THROW(load(with_length(header, "")), VocabularyError);
}

TEST_F(StoredVocabularyTest, RowsMustBeUnitVectors) {
  std::string content = stored_vocabulary();
  const float two = 2;
  std::memcpy(&content[content.size() - 48], &two, sizeof two);
  EXPECT_THROW(load(content), VocabularyError);
}

TEST_F(StoredVocabularyTest, MissingFile) {
  EXPECT_THROW(Vocabulary::load(folder_.path() / "none.safetensors"), VocabularyError);
}

}  // namespace
}  // namespace vocabseg::test
