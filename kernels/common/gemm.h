// Products of float32 matrices.
#pragma once

#include <cstdint>

#include "kernels/common/aligned_floats.h"
#include "kernels/common/thread_pool.h"

namespace vocabseg::kernels {

// The right factor of a product, [k, n], in panels of a few adjacent columns each: the order in
// which the multiplication reads it. Pack once, multiply often.
class PackedMatrix {
 public:
  // b [k, n]; row i starts at b + i * ldb.
  static PackedMatrix pack(const float* b, int64_t ldb, int64_t k, int64_t n, ThreadPool& pool);

  // The transpose of b [n, k].
  static PackedMatrix pack_transposed(const float* b, int64_t ldb, int64_t k, int64_t n,
                                      ThreadPool& pool);

  int64_t k() const { return k_; }
  int64_t n() const { return n_; }
  const float* data() const { return panels_.get(); }

 private:
  PackedMatrix(int64_t k, int64_t n);

  int64_t k_, n_;
  AlignedFloats panels_;
};

// c [m, n] = a [m, k] x b [k, n]; rows start at a + i * lda and c + i * ldc. An element of c is a
// sum over k in one order, whatever the shape, the neighbours and the number of threads.
void gemm(const float* a, int64_t lda, int64_t m, const PackedMatrix& b, float* c, int64_t ldc,
          ThreadPool& pool);

}  // namespace vocabseg::kernels
