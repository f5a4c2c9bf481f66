// Patch-text similarity of a few patches at a time.
#pragma once

#include <cstdint>

#include "kernels/patch_text_similarity/cpu.h"

namespace vocabseg::kernels {

struct SimilarityJob {
  const Patches& patches;
  const PackedMatrix& text;
  bool normalize;
  const QueryClasses* classes;  // null: every query is a class of its own
  float* scores;                // [windows, classes, n]; null: `top` is wanted
  TopClasses top;
};

// Tiles of patches that threads share out among themselves.
int64_t similarity_tiles(const Patches& patches);

// Tiles [begin, end).
void similarity_block(const SimilarityJob& job, int64_t begin, int64_t end);

}  // namespace vocabseg::kernels
