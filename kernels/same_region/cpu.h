// How much two patches belong to one region of a first segmentation: ResCLIP's semantic map.
#pragma once

#include <cstdint>

#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

struct SameRegionOptions {
  bool connected = true;  // test the line between two patches
  bool strict = false;    // to its end, and blur in the plane, as the paper says
};

// The label that most pixels of each patch have; ties go to the lower label. labels
// [height, width] with values below `classes`, patches [gh, gw]; a patch is height / gh x width /
// gw pixels, what is left over at the far borders belongs to none.
void patch_majority(const uint16_t* labels, int height, int width, int classes, int gh, int gw,
                    int32_t* patches, ThreadPool& pool);

// labels [gh * gw] of patches -> shared [gh * gw, gh * gw] float32, largest value 1. See README.md.
// Throws ShapeError on an empty grid.
void same_region(const int32_t* labels, int gh, int gw, const SameRegionOptions& options,
                 float* shared, ThreadPool& pool);

}  // namespace vocabseg::kernels
