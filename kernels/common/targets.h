// The instruction sets that the ops are compiled for.
#pragma once

#include <string>
#include <vector>

namespace vocabseg::kernels {

// Names of the compiled targets that this machine can run, best first: such as AVX3 (AVX-512),
// AVX2, EMU128 (plain C++).
std::vector<std::string> supported_targets();

// The target that the ops run on.
std::string active_target();

// Makes the ops run on one of the supported targets, or on the best again (""). For tests, while no
// op runs. Throws BackendUnavailable on any other name.
void force_target(const std::string& name);

}  // namespace vocabseg::kernels
