// Cancellation, threads, and calls that must fail.
#include <atomic>
#include <cmath>
#include <thread>

#include "segmenter_fixture.hpp"

namespace vocabseg::test {
namespace {

TEST_F(SegmenterTest, Cancels) {
  Segmenter* running = nullptr;
  Segmenter segmenter = make(tiny_manifest(), 2, [&] {
    if (running) running->cancel();
  });
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  const Stripes image(64, 64, {kRed});
  segmenter.cancel();  // nothing runs, so nothing happens
  EXPECT_NO_THROW(segmenter.segment(image.view()));
  running = &segmenter;
  EXPECT_THROW(segmenter.segment(image.view()), Cancelled);
  EXPECT_THROW(segmenter.classify_masks(image.view(), {64, 64, RunLengths{{0, 4096}}}), Cancelled);
  EXPECT_THROW(segmenter.features(image.view()), Cancelled);
  running = nullptr;
  EXPECT_NO_THROW(segmenter.segment(image.view()));
}

TEST_F(SegmenterTest, WordsChangeWhileFramesRun) {
  Segmenter segmenter = make();
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  const Stripes image(64, 64, {kRed, kGreen});
  std::atomic<bool> done{false};
  std::thread other([&] {
    for (int i = 0; !done; ++i) {
      segmenter.set_vocabulary(i % 2 ? colour_vocabulary({1, 0}) : colour_vocabulary({0, 1}));
    }
  });
  std::thread second([&] {
    while (!done) segmenter.segment(image.view());
  });
  for (int i = 0; i < 50; ++i) {
    const Segmentation out = segmenter.segment(image.view());
    EXPECT_NE(out.label(32, 4), out.label(32, 60));  // one vocabulary per frame
  }
  done = true;
  other.join();
  second.join();
}

TEST_F(SegmenterTest, BadImages) {
  Segmenter segmenter = make();
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  const std::vector<uint8_t> pixels(3 * 10000);
  EXPECT_THROW(segmenter.segment({pixels.data(), 0, 5}), ImageError);
  EXPECT_THROW(segmenter.segment({pixels.data(), 5, -1}), ImageError);
  EXPECT_THROW(segmenter.segment({nullptr, 5, 5}), ImageError);
  EXPECT_THROW(segmenter.segment({pixels.data(), 1 << 20, 1 << 20}), ImageError);
}

TEST_F(SegmenterTest, TooManyWindows) {
  nlohmann::json manifest = tiny_manifest();
  manifest["window"]["long_side"] = 1 << 20;
  Segmenter segmenter = make(manifest);
  segmenter.set_vocabulary(colour_vocabulary({0}));
  for (const int width : {300, 10000}) {
    const std::vector<uint8_t> pixels(3 * static_cast<size_t>(width));
    EXPECT_THROW(segmenter.segment({pixels.data(), width, 1}), ImageError) << width;
  }
}

TEST_F(SegmenterTest, BadVocabulariesLeaveTheFormerOne) {
  Segmenter segmenter = make();
  EXPECT_THROW(segmenter.segment(Stripes(32, 32, {kRed}).view()), VocabularyError);
  segmenter.set_vocabulary(colour_vocabulary({0, 1}));
  std::vector<Vocabulary> bad(6, colour_vocabulary({0, 1}));
  bad[0].dim = 3;
  bad[1].embeddings.pop_back();
  bad[2].words.query_to_class[0] = 2;
  bad[3].embeddings[0] = NAN;
  bad[4].words.background = {5};
  bad[5] = Vocabulary{};
  for (const Vocabulary& vocabulary : bad) {
    EXPECT_THROW(segmenter.set_vocabulary(vocabulary), VocabularyError);
  }
  EXPECT_THROW(segmenter.set_vocabulary({std::string("road")}), VocabularyError);  // no text tower
  EXPECT_EQ(segmenter.segment(Stripes(32, 32, {kGreen}).view()).label(0, 0), 1);
}

TEST_F(SegmenterTest, LogsTheEngine) {
  write_bundle(folder_.path(), tiny_manifest());
  std::vector<std::string> messages;
  Settings settings;
  settings.log = [&](Level, std::string_view message) { messages.emplace_back(message); };
  const Segmenter segmenter(Bundle::open(folder_.path()),
                            {std::make_unique<ColourEngine>(), nullptr}, settings);
  ASSERT_FALSE(messages.empty());
  EXPECT_NE(messages[0].find("colour/float32"), std::string::npos);
}

TEST(Backends, NamedOneRunsOrThrows) {
  EXPECT_FALSE(backends().empty());
  EXPECT_THROW(choose_backend("abacus"), BackendUnavailable);
  for (const BackendInfo& backend : backends()) {
    EXPECT_FALSE(backend.reason.empty());
    if (backend.available) {
      EXPECT_EQ(choose_backend("auto").id, backend.id);
    } else {
      EXPECT_THROW(choose_backend(backend.id), BackendUnavailable);
    }
  }
}

}  // namespace
}  // namespace vocabseg::test
