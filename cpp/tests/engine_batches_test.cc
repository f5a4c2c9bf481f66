// Runs that are cut into what an engine takes, which may fall while it runs.
#include "engine_batches.hpp"

#include <limits>

#include "feedback.hpp"
#include "segmenter_fixture.hpp"
#include "thrown.hpp"

namespace vocabseg::test {
namespace {

// Copies the rows of "tokens" to "features", at most `fits` of them at a time.
class RowEngine final : public Engine {
 public:
  void run(const TensorMap& inputs, const TensorMap& outputs, Stream*) override {
    const TensorView &from = inputs.at("tokens"), &to = outputs.at("features");
    const int64_t rows = from.shape[0];
    tried.push_back(rows);
    if (rows > fits) {
      if (may_shrink && rows > 1) largest = rows / 2;
      throw OutOfMemory("full");
    }
    EXPECT_EQ(inputs.at("shared").shape[0], rows);
    std::copy_n(static_cast<const float*>(from.data), rows * from.shape[1] * from.shape[2],
                static_cast<float*>(to.data));
  }

  std::string id() const override { return "rows/float32"; }
  EngineTraits traits() const override { return {false, false, largest}; }

  int64_t largest = 0, fits = std::numeric_limits<int64_t>::max();
  bool may_shrink = true;
  std::vector<int64_t> tried;
};

class EngineBatches : public SegmenterTest {
 protected:
  static constexpr int kWindows = 7;

  // A second pass over all windows: its features.
  std::vector<float> second_pass() {
    write_bundle(folder_.path(), feedback_manifest());
    auto engine = std::make_unique<RowEngine>();
    engine_ = engine.get();
    engine_->fits = fits_, engine_->may_shrink = may_shrink_;
    pass_.emplace(Bundle::open(folder_.path()), std::move(engine));
    std::vector<float> features(tokens_.size());
    const std::vector<int32_t> labels(size_t{kWindows} * kPatches);
    kernels::ThreadPool pool(1);
    WindowBatch batch;
    batch.count = kWindows;
    batch.features = features.data();
    batch.extra["tokens"] = {DType::kFloat32, {kWindows, kPatches, kDim}, tokens_.data()};
    pass_->run(batch, labels.data(), pool);
    return features;
  }

  EngineBatches() {
    for (int i = 0; i < kWindows * kPatches * kDim; ++i) tokens_.push_back(static_cast<float>(i));
  }

  std::vector<float> tokens_;
  std::optional<FeedbackPass> pass_;
  RowEngine* engine_ = nullptr;
  int64_t fits_ = kWindows;
  bool may_shrink_ = true;
};

using Rows = std::vector<int64_t>;

TEST_F(EngineBatches, AllAtOnce) {
  EXPECT_EQ(second_pass(), tokens_);
  EXPECT_EQ(engine_->tried, Rows{kWindows});
}

TEST_F(EngineBatches, FewerWhereTheEngineTakesFewer) {
  fits_ = 2;
  EXPECT_EQ(second_pass(), tokens_);
  EXPECT_EQ(engine_->tried, (Rows{7, 3, 1, 1, 1, 1, 1, 1, 1}));
}

TEST_F(EngineBatches, AnErrorWhereItDoesNot) {
  fits_ = 2, may_shrink_ = false;
  EXPECT_EQ(thrown<OutOfMemory>([&] { second_pass(); }), "full");
  EXPECT_EQ(engine_->tried, Rows{kWindows});
  fits_ = 0, may_shrink_ = true;
  EXPECT_EQ(thrown<OutOfMemory>([&] { second_pass(); }), "full");
  EXPECT_EQ(engine_->tried, (Rows{7, 3, 1}));
}

}  // namespace
}  // namespace vocabseg::test
