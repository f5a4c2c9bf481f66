// What a bundle and an engine must be like for frames on the device.
#pragma once

#include <cstdint>
#include <string>

#include "vocabseg/bundle.hpp"
#include "vocabseg/engine.hpp"

namespace vocabseg::cuda {

// What of the bundle's method has no GPU version, such as "the step pamr"; "" if nothing.
std::string cpu_only_part(const Manifest& manifest);

// Throws BackendUnavailable if `missing`, of cpu_only_part, is something.
void check_method(const Manifest& manifest, const std::string& missing);

// Throws BackendUnavailable where the image network or its engine cannot run on a frame's memory.
void check_network(const Manifest& manifest, const Engine& engine);

// How the windows of a frame are shared among runs of an engine.
struct WindowRuns {
  int64_t window_bytes, feature_bytes;  // of one window

  // Every run but the last has a multiple of so many windows: each begins where an engine can read.
  int64_t step() const;

  // Windows of a run, of which the engine takes `largest` (0: any); 0 where it takes too few.
  int64_t most(int64_t windows, int64_t largest) const;
};

}  // namespace vocabseg::cuda
