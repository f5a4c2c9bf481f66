// GoogleTest's main. --every_target runs the tests once on each instruction set of the ops that
// this machine has, instead of on the best only.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "kernels/common/targets.h"

namespace {

class TargetPerIteration : public ::testing::EmptyTestEventListener {
 public:
  void OnTestIterationStart(const ::testing::UnitTest&, int iteration) override {
    vocabseg::kernels::force_target(targets_.at(iteration));
    std::printf("Instruction set: %s\n", vocabseg::kernels::active_target().c_str());
  }

  int targets() const { return static_cast<int>(targets_.size()); }

 private:
  const std::vector<std::string> targets_ = vocabseg::kernels::supported_targets();
};

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (argc == 2 && std::string(argv[1]) == "--every_target") {
    auto* listener = new TargetPerIteration;  // GoogleTest deletes it
    ::testing::GTEST_FLAG(repeat) = listener->targets();
    ::testing::UnitTest::GetInstance()->listeners().Append(listener);
  } else if (argc > 1) {
    std::fprintf(stderr, "got %s, expected GoogleTest's flags or --every_target\n", argv[1]);
    return 2;
  }
  return RUN_ALL_TESTS();
}
