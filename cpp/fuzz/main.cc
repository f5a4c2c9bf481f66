// Calls the ops with inputs that a seed makes: vocabseg_fuzz [--inputs N] [--seed N] [--first N]
// [--target NAME]. An input is a function of seed and number, so a failure is repeated with --first
// and --inputs 1. Every eighth input runs on one thread too and must give the same bits.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>

#include "kernels/common/targets.h"
#include "targets.hpp"
#include "vocabseg/error.hpp"

// The sanitizers' run-time libraries look for these.
extern "C" const char* __asan_default_options() { return "abort_on_error=1"; }
extern "C" const char* __ubsan_default_options() {
  return "abort_on_error=1:halt_on_error=1:print_stacktrace=1";
}

namespace vocabseg::fuzz {
namespace {

struct Target {
  const char* name;
  Output (*run)(Bytes&, kernels::ThreadPool&);
  int64_t accepted, refused;
};

Target targets[] = {{"correlative_attention", correlative_attention, 0, 0},
                    {"label_decoding", label_decoding, 0, 0},
                    {"label_vote", label_vote, 0, 0},
                    {"mask_classification", mask_classification, 0, 0},
                    {"mask_pooling", mask_pooling, 0, 0},
                    {"pamr", pamr, 0, 0},
                    {"patch_text_similarity", patch_text_similarity, 0, 0},
                    {"preprocessing", preprocessing, 0, 0},
                    {"run_lengths", run_lengths, 0, 0}};
constexpr int64_t kTargets = std::size(targets);
constexpr int64_t kShortestInput = 24, kLongestInput = 200;  // bytes
constexpr int64_t kPerInstructionSet = 64 * kTargets;

struct Settings {
  int64_t inputs = 100000, seed = 1, first = 0;
  std::string target;
};

int64_t current = 0;  // number of the input that runs
int64_t current_seed = 0;

void report() {
  std::fprintf(stderr, "\nfailed on input %lld; again: --seed %lld --first %lld --inputs 1\n",
               static_cast<long long>(current), static_cast<long long>(current_seed),
               static_cast<long long>(current));
}

std::vector<uint8_t> make_input(int64_t seed, int64_t number) {
  Random random(Random(static_cast<uint64_t>(seed)).next() ^ static_cast<uint64_t>(number));
  std::vector<uint8_t> data(kShortestInput + random.next() % (kLongestInput - kShortestInput + 1));
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(random.next());
  return data;
}

// The output, or nothing where the op refused its arguments.
bool call(const Target& target, const std::vector<uint8_t>& data, kernels::ThreadPool& pool,
          Output& output) {
  Bytes bytes(data);
  try {
    output = target.run(bytes, pool);
    return true;
  } catch (const VocabsegError&) {
    return false;
  }
}

void run(const Settings& settings) {
  const std::vector<std::string> sets = kernels::supported_targets();
  kernels::ThreadPool one(1), three(3);
  for (current = settings.first; current < settings.first + settings.inputs; ++current) {
    Target& target = targets[current % kTargets];
    if (!settings.target.empty() && settings.target != target.name) continue;
    kernels::force_target(sets[current / kPerInstructionSet % static_cast<int64_t>(sets.size())]);
    const std::vector<uint8_t> data = make_input(settings.seed, current);
    Output output, again;
    const bool accepted = call(target, data, three, output);
    ++(accepted ? target.accepted : target.refused);
    if (current / kTargets % 8 == 0) {
      expect(call(target, data, one, again) == accepted && again == output,
             "the result depends on the number of threads");
    }
  }
}

Settings parse(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--inputs") {
      settings.inputs = std::atoll(value);
    } else if (name == "--seed") {
      settings.seed = std::atoll(value);
    } else if (name == "--first") {
      settings.first = std::atoll(value);
    } else if (name == "--target") {
      settings.target = value;
    } else {
      std::fprintf(stderr, "got %s, expected --inputs, --seed, --first or --target\n", argv[i]);
      std::exit(2);
    }
  }
  return settings;
}

}  // namespace
}  // namespace vocabseg::fuzz

int main(int argc, char** argv) {
  using namespace vocabseg::fuzz;
  const Settings settings = parse(argc, argv);
  current_seed = settings.seed;
  std::signal(SIGABRT, [](int) { report(); });
  run(settings);
  for (const Target& target : targets) {
    std::printf("%-24s %8lld accepted %8lld refused\n", target.name,
                static_cast<long long>(target.accepted), static_cast<long long>(target.refused));
  }
  return 0;
}
