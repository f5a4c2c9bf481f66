// The pixels of a tile, from the candidates that are left.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/label_decoding/axis_tiles.h"

namespace vocabseg::kernels {

// Patch scores of a tile's candidates, side by side: the winners, the peaks, the other terms.
struct TileScores {
  const float* patches;     // [row patches, column patches, stride], finite
  int64_t stride;           // candidates, rounded up to whole vectors; the rest are 0
  const int32_t* classes;   // [winners], not falling; room for stride
  int winners, peaks, all;  // numbers of candidates, each including the ones before
};

// What becomes of a pixel, and where it goes.
template <class Label>
struct PixelOutput {
  float logit_scale, threshold;
  Label unlabeled;
  bool probabilities;   // needed for a threshold or for class_scores
  Label* labels;        // the tile's first pixel; rows are `pitch` apart
  float* class_scores;  // the same, or null
  int64_t pitch;
};

// Floats that `stride` must be a multiple of.
constexpr int kCandidateLanes = 16;

// Reused from tile to tile.
struct TileScratch {
  std::vector<float> line;  // the candidates' values at a row of pixels [column patches, stride]
  std::vector<float> kept;  // those of them that may win in that row
  std::vector<int32_t> kept_classes;
};

// At least one winner.
void decode_tile(const AxisTile& row, const AxisTile& col, const TileScores& scores,
                 const PixelOutput<uint8_t>& out, TileScratch& scratch);
void decode_tile(const AxisTile& row, const AxisTile& col, const TileScores& scores,
                 const PixelOutput<uint16_t>& out, TileScratch& scratch);

}  // namespace vocabseg::kernels
