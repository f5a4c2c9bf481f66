// Attention of a few heads, or of a few of their rows, at a time.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/common/aligned_floats.h"
#include "kernels/correlative_attention/cpu.h"

namespace vocabseg::kernels {

struct AttentionJob {
  std::array<TokenArray, 3> tokens;  // by TokenKind
  FloatType type;
  const AttentionShape& shape;
  const AttentionOptions& options;
  void* out;
  int64_t batch;                       // the one that is worked on
  std::array<AlignedFloats, 3> right;  // its right factors, by TokenKind: panels of each head
  AlignedFloats values;                // its values, rows of each head
  std::vector<float> gaussian_rows;    // by the distance of two rows of the grid
  std::vector<float> gaussian_columns;
};

// Floats of one head in AttentionJob::right and ::values.
struct PackedSizes {
  int64_t right, values;
};
PackedSizes packed_sizes(const AttentionShape& shape);

// Fills `right`, where it is allocated, and `values`, for heads [begin, end).
void pack_heads(const AttentionJob& job, int64_t begin, int64_t end);

// Tiles of rows, over all heads, that threads share out among themselves.
int64_t attention_tiles(const AttentionShape& shape);

// The results of tiles [begin, end).
void attend(const AttentionJob& job, int64_t begin, int64_t end);

}  // namespace vocabseg::kernels
