// Which queries matter in a tile of output pixels, by bounds alone. See README.md for the proof.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/thread_pool.h"
#include "kernels/label_decoding/axis_tiles.h"
#include "kernels/label_decoding/options.h"

namespace vocabseg::kernels {

// Queries as positions in the comparison order; each list rises.
struct Candidates {
  std::vector<int32_t> winners;  // may have the largest score of the enabled classes
  std::vector<int32_t> peaks;    // of disabled classes, may have the largest score of all
  std::vector<int32_t> terms;    // the others that count in the softmax

  void clear();
};

// The softmax, if it is wanted: scores that lie further than `reach` below the best one can't
// change a float32 sum.
struct Softmax {
  bool wanted = false;
  float reach = 0;
};

Softmax make_softmax(bool wanted, float logit_scale, int queries);

// Fills out [tiles] for the tiles where a row tile meets neighbouring column tiles. Where a patch
// is irregular the lists mean nothing.
void select_candidates(const PatchScores& scores, const QueryOrder& order, const Softmax& softmax,
                       const AxisTile& row, const AxisTile* cols, int tiles, Candidates* out);

// Patches (numbered by PatchScores::patch) with a score that is NaN, infinite, or so large that
// sums might overflow; empty if there are none.
std::vector<uint8_t> find_irregular(const PatchScores& scores, ThreadPool& pool);

// Queries with the score +infinity in a tile.
struct Infinite {
  int count = 0;
  int32_t first = -1;  // position of the first of an enabled class
};

// The same for one tile with irregular patches, all of which have weight at every pixel: queries
// with NaN or -infinity are left out, and so are those with +infinity, which are counted.
Infinite select_irregular(const PatchScores& scores, const QueryOrder& order,
                          const Softmax& softmax, const AxisTile& row, const AxisTile& col,
                          Candidates& out);

}  // namespace vocabseg::kernels
