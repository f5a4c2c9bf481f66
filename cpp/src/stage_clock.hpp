#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace vocabseg {

// Milliseconds of each stage of a call, in order, and their total.
class StageClock {
 public:
  // Ends the stage that ran since the last call; times of equal names add up.
  void stop(const std::string& stage) {
    const auto now = Clock::now();
    auto it = std::find_if(stages_.begin(), stages_.end(),
                           [&](const auto& entry) { return entry.first == stage; });
    if (it == stages_.end()) it = stages_.emplace(it, stage, 0);
    it->second += milliseconds(now - last_);
    last_ = now;
  }

  // The same, where the time was measured as several stages; their total is left out.
  void stop(const std::vector<std::pair<std::string, double>>& stages) {
    stages_.insert(stages_.end(), stages.begin(), stages.end() - 1);
    last_ = Clock::now();
  }

  std::vector<std::pair<std::string, double>> finish() {
    stages_.emplace_back("total", milliseconds(Clock::now() - start_));
    return std::move(stages_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  static double milliseconds(Clock::duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
  }

  Clock::time_point start_ = Clock::now(), last_ = start_;
  std::vector<std::pair<std::string, double>> stages_;
};

}  // namespace vocabseg
