#include "vocabseg/tokenizer.hpp"

#include <gtest/gtest.h>

#include <random>

#include "text/clean.hpp"
#include "text/fix_text.hpp"
#include "text/html.hpp"
#include "text/unicode.hpp"
#include "tiny_bundle.hpp"

namespace vocabseg::test {
namespace {

class TokenizerTest : public ::testing::Test {
 protected:
  Tokenizer tokenizer(const std::string& merges, int context_length = 8) {
    write(folder_.path() / "merges.txt", merges);
    return Tokenizer(folder_.path() / "merges.txt", context_length);
  }

  TemporaryFolder folder_;
};

using Ids = std::vector<int64_t>;
constexpr const char* kMerges = "r o\nro a\nroa d</w>\n";
// Symbols are numbered from "!": 'a' is 97 - 33; the ending "</w>" adds 256.
constexpr int64_t id(char c) { return c - '!'; }
constexpr int64_t kStart = 512 + 3, kEnd = kStart + 1;

TEST_F(TokenizerTest, MergesInOrderOfRank) {
  const Tokenizer t = tokenizer(kMerges);
  EXPECT_EQ(t.vocab_size(), 517);
  EXPECT_EQ(t.encode("road"), (Ids{514}));
  EXPECT_EQ(t.encode("ROAD roa"), (Ids{514, 512, id('a') + 256}));
  EXPECT_EQ(t.encode("ro"), (Ids{id('r'), id('o') + 256}));
  EXPECT_EQ(t.encode(""), Ids{});
  EXPECT_EQ(t.encode(" \t\n"), Ids{});
}

TEST_F(TokenizerTest, RowsArePaddedAndCut) {
  const Tokenizer t = tokenizer(kMerges, 5);
  EXPECT_EQ(t.encode_row("road"), (Ids{kStart, 514, kEnd, 0, 0}));
  EXPECT_EQ(t.encode_row("road road road road road"), (Ids{kStart, 514, 514, 514, kEnd}));
  EXPECT_EQ(t.encode_row(""), (Ids{kStart, kEnd, 0, 0, 0}));
}

TEST_F(TokenizerTest, SpecialTokensInTheText) {
  EXPECT_EQ(tokenizer(kMerges).encode("<start_of_text>road<end_of_text>"),
            (Ids{kStart, 514, kEnd}));
}

TEST_F(TokenizerTest, BadMerges) {
  for (const char* merges : {"a", "a b c", "a  b", "a b\n\n", "xyz b", " a", "a "}) {
    EXPECT_THROW(tokenizer(merges), BundleError) << merges;
  }
  EXPECT_THROW(Tokenizer(folder_.path() / "none.txt", 8), BundleError);
  EXPECT_THROW(tokenizer(kMerges, 1), VocabularyError);
}

TEST_F(TokenizerTest, AnyBytesAreText) {
  const Tokenizer t = tokenizer(kMerges);
  std::mt19937 random(1);
  const std::string favourites = "&#;x<\xC3\xA9\xE2\x80\x99\xF0\x9F\xED\xA0\xCC\x81 \033[1m";
  for (int i = 0; i < 3000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) {
      byte = random() % 2 ? favourites[random() % favourites.size()] : static_cast<char>(random());
    }
    EXPECT_EQ(t.encode_row(bytes).size(), 8u);
  }
}

std::vector<std::string> pieces(const std::string& text) {
  const std::u32string clean = text::clean(text);
  std::vector<std::string> out;
  for (std::u32string_view piece : text::split_pieces(clean))
    out.push_back(text::encode_utf8(piece));
  return out;
}

TEST(SplitPieces, ContractionsLettersNumbersSymbols) {
  using Strings = std::vector<std::string>;
  EXPECT_EQ(pieces("The dog's 12 toys, aren't they?!"),
            (Strings{"the", "dog", "'s", "1", "2", "toys", ",", "aren", "'t", "they", "?!"}));
  EXPECT_EQ(pieces("日本2語 🦊"), (Strings{"日本", "2", "語", "🦊"}));
}

std::string fixed(const std::string& text) {
  return text::encode_utf8(text::fix_text(text::decode_utf8(text)));
}

TEST(FixText, WhatFtfyRepairs) {
  EXPECT_EQ(fixed("âœ” No problems"), "✔ No problems");
  EXPECT_EQ(fixed("&macr;\\_(ã\xc2\x83\xc2\x84)_/&macr;"), "¯\\_(ツ)_/¯");
  EXPECT_EQ(fixed("Broken text&hellip; it&#x2019;s ﬂubberiﬁc!"), "Broken text… it's flubberific!");
  EXPECT_EQ(fixed("ＬＯＵＤ　ＮＯＩＳＥＳ"), "LOUD NOISES");
  EXPECT_EQ(fixed("voilÃ le travail"), "voilà le travail");
  EXPECT_EQ(fixed("sÃ³ &lt;"), "só <");
  EXPECT_EQ(fixed("<i>&lt;</i>"), "<i>&lt;</i>");
  EXPECT_EQ(fixed("\033[36mblue\033[0m\r\nnext"), "blue\nnext");
  EXPECT_EQ(fixed("e\u0301"), "é");
}

std::string unescaped(const std::string& text) {
  return text::encode_utf8(text::html_unescape(text::decode_utf8(text)));
}

TEST(HtmlUnescape, AsHtml5Says) {
  EXPECT_EQ(unescaped("&lt;b&gt; &amp;amp; &eacute &notit; &#128; &#x1F600; &#0;"),
            "<b> &amp; é ¬it; € 😀 \uFFFD");
  EXPECT_EQ(unescaped("&unknown; & &; &#; &#x; &#xD800;"), "&unknown; & &; &#; &#x; \uFFFD");
}

TEST(Unicode, LowerAsPython) {
  const auto lowered = [](const char* text) {
    return text::encode_utf8(text::lower(text::decode_utf8(text)));
  };
  EXPECT_EQ(lowered("ΣΊΣΥΦΟΣ Σ"), "σίσυφος σ");
  EXPECT_EQ(lowered("İI"), "i̇i");
  EXPECT_EQ(lowered("STRASSE ẞ"), "strasse ß");
}

TEST(Unicode, InvalidUtf8IsReplaced) {
  EXPECT_EQ(text::decode_utf8("a\xff\xc3"), U"a\uFFFD\uFFFD");
  EXPECT_EQ(text::decode_utf8("\xc0\x80\xf5"), U"\uFFFD\uFFFD\uFFFD");
}

}  // namespace
}  // namespace vocabseg::test
