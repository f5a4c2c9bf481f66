#include "kernels/label_decoding/axis_tiles.h"

#include <algorithm>
#include <iterator>

namespace vocabseg::kernels {
namespace {

// Long tiles are cut, so that there is work for all threads.
constexpr int kMaxPixels = 128;
// Floats of the widest vector, AVX-512's.
constexpr int kMaxLanes = 16;

// The patches that a pixel draws on.
struct Patches {
  const int *begin, *end;

  Patches(const AxisWeights& axis, int pixel)
      : begin(axis.index.data() + axis.offset[pixel]),
        end(axis.index.data() + axis.offset[pixel + 1]) {}
  bool operator==(const Patches& other) const {
    return std::equal(begin, end, other.begin, other.end);
  }
  size_t size() const { return static_cast<size_t>(end - begin); }
};

void fill_weights(const AxisWeights& axis, AxisTile& tile) {
  tile.stride = (tile.pixels() + kMaxLanes - 1) / kMaxLanes * kMaxLanes;
  tile.weight.assign(tile.index.size() * static_cast<size_t>(tile.stride), 0.0f);
  for (int pixel = tile.begin; pixel < tile.end; ++pixel) {
    auto at = tile.index.begin();
    for (int k = axis.offset[pixel]; k < axis.offset[pixel + 1]; ++k) {
      at = std::lower_bound(at, tile.index.end(), axis.index[k]);
      const auto row = at - tile.index.begin();
      tile.weight[static_cast<size_t>(row * tile.stride + pixel - tile.begin)] = axis.weight[k];
    }
  }
}

// Takes a pixel into the tile before it if both draw on the same patches, or grow(tile, patches)
// makes room for it.
template <class Grow>
std::vector<AxisTile> cut(const AxisWeights& axis, int begin, int end, const Grow& grow) {
  std::vector<AxisTile> tiles;
  for (int pixel = begin; pixel < end; ++pixel) {
    const Patches patches(axis, pixel);
    const bool fits = !tiles.empty() && tiles.back().pixels() < kMaxPixels &&
                      (patches == Patches(axis, pixel - 1) || grow(tiles.back(), patches));
    if (!fits) {
      tiles.emplace_back();
      tiles.back().begin = pixel;
      tiles.back().index.assign(patches.begin, patches.end);
    }
    tiles.back().end = pixel + 1;
  }
  for (AxisTile& tile : tiles) fill_weights(axis, tile);
  return tiles;
}

}  // namespace

std::vector<AxisTile> cut_axis(const AxisWeights& axis) {
  return cut(axis, 0, axis.rows, [&](AxisTile& tile, const Patches& patches) {
    size_t most = patches.size();  // of one pixel of the tile
    for (int pixel = tile.begin; pixel < tile.end; ++pixel) {
      most = std::max(most, Patches(axis, pixel).size());
    }
    std::vector<int> merged;
    std::set_union(tile.index.begin(), tile.index.end(), patches.begin, patches.end,
                   std::back_inserter(merged));
    if (merged.size() > most) return false;
    tile.index = std::move(merged);
    return true;
  });
}

std::vector<AxisTile> cut_exactly(const AxisWeights& axis, int begin, int end) {
  return cut(axis, begin, end, [](const AxisTile&, const Patches&) { return false; });
}

}  // namespace vocabseg::kernels
