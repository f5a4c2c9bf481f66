// Clusters of patches, and a map of each: CLIPtrase's segments, before the vote.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

// The cluster of each of n points, rows [n, d]: 0, 1, ... in the order of the clusters' first core
// points; -1: noise. A core point has at least min_samples points (itself included) within the
// Euclidean distance eps; core points within eps of each other share a cluster; another point
// within eps of core points belongs to the first of their clusters. Points with NaN or infinity are
// noise and nobody's neighbour.
//
// Near are points whose squared distance, in float64, is at most eps * eps in float32
// (neighbours.h). Throws ShapeError unless d and min_samples are positive and eps is from 1e-18 to
// 1e18.
std::vector<int32_t> dbscan(const float* rows, int64_t n, int64_t d, float eps, int min_samples,
                            ThreadPool& pool);

// Sizes of the maps: gh x gw patches, up-sampled by a whole factor, then filtered by the median of
// median x median pixels (odd).
struct MapSizes {
  int gh = 0, gw = 0;
  int factor = 4, median = 7;
};

// maps [clusters, factor * gh, factor * gw]: the mean of each cluster's rows of affinity [N, N],
// N = gh * gw, as a gh x gw map, up-sampled bilinearly and filtered. labels [N]: the cluster of
// each row; negative: none. A cluster without rows has a map of zeros. Beyond its edges a map goes
// on as its mirror image (d c b a | a b c d | d c b a). NaN counts as +infinity in the median.
// Throws ShapeError where sizes or labels do not fit.
void cluster_maps(const float* affinity, const int32_t* labels, int clusters, const MapSizes& sizes,
                  float* maps, ThreadPool& pool);

}  // namespace vocabseg::kernels
