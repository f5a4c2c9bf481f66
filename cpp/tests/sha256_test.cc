// Vectors of FIPS 180-4 and of NIST's example files.
#include "sha256.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tiny_bundle.hpp"

namespace vocabseg {
namespace {

std::string digest(const std::string& text) {
  Sha256 hash;
  hash.update(text.data(), text.size());
  return hash.hex_digest();
}

TEST(Sha256, KnownVectors) {
  EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesGiveTheSameAsTheWhole) {
  const std::string text(1000, 'x');
  for (const size_t piece : {1, 7, 63, 64, 65, 500}) {
    Sha256 hash;
    for (size_t i = 0; i < text.size(); i += piece) {
      hash.update(text.data() + i, std::min(piece, text.size() - i));
    }
    EXPECT_EQ(hash.hex_digest(), digest(text));
  }
}

TEST(Sha256, BothBodiesAgree) {
  if (!has_sha_instructions()) GTEST_SKIP() << "this CPU has no SHA instructions";
  uint32_t plain[8], fast[8];
  std::vector<uint8_t> block(64);
  for (uint32_t i = 0; i < 8; ++i) plain[i] = fast[i] = 0x9E3779B9u * (i + 1);
  for (int round = 0; round < 100; ++round) {
    for (size_t i = 0; i < block.size(); ++i) block[i] = static_cast<uint8_t>(i * 37 + round * 101);
    sha256_compress(plain, block.data());
    sha256_compress_fast(fast, block.data());
    ASSERT_TRUE(std::equal(plain, plain + 8, fast)) << round;
  }
}

TEST(Sha256, File) {
  const test::TemporaryFolder folder;
  test::write(folder.path() / "a", "abc");
  EXPECT_EQ(sha256_of_file(folder.path() / "a"), digest("abc"));
  EXPECT_THROW(sha256_of_file(folder.path() / "b"), BundleError);
}

}  // namespace
}  // namespace vocabseg
