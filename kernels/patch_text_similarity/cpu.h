// Cosines of patch features and text embeddings.
#pragma once

#include <cstdint>

#include "kernels/common/float_types.h"
#include "kernels/common/gemm.h"
#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

// Features [windows, n, d].
struct Patches {
  const void* data;
  FloatType type;
  int64_t windows, n, d;
};

// The class of each query, in [0, count).
struct QueryClasses {
  const int32_t* of_query;
  int64_t count;
};

// The best class of each patch, arrays of [windows, n]: its index, its cosine, and how far the
// second-best class is below (infinite where there is none). Ties go to the lower class. Where no
// class has a number: -1, NaN, NaN.
struct TopClasses {
  int32_t* label;
  float* score;
  float* margin;
};

// `text` below is the transpose of text rows [q, d], packed: PackedMatrix::pack_transposed.

// out[w, q, i] = <text[q], f / |f|> with f = features[w, i]; without `normalize` the division is
// left out. A zero row of features gives 0; a row with a NaN or an infinity gives NaN when
// normalised; no other row over- or underflows. Text rows are taken as they are.
void patch_text_similarity(const Patches& patches, const PackedMatrix& text, bool normalize,
                           float* out, ThreadPool& pool);

// out[w, c, i]: the largest of these over the queries of class c. NaN loses to any number; a class
// without queries has -infinity.
void class_similarity(const Patches& patches, const PackedMatrix& text, bool normalize,
                      const QueryClasses& classes, float* out, ThreadPool& pool);

// The best class of each patch; every query is a class of its own where `classes` is null.
void top_classes(const Patches& patches, const PackedMatrix& text, bool normalize,
                 const QueryClasses* classes, const TopClasses& out, ThreadPool& pool);

// One window of float32 features [n, d] and text rows [q, d]: out [q, n].
void patch_text_similarity(const float* features, int64_t n, int64_t d, const float* text,
                           int64_t q, bool normalize, float* out, ThreadPool& pool);

}  // namespace vocabseg::kernels
