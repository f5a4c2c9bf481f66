#include "kernels/patch_text_similarity/cpu.h"

#include <string>

#include "kernels/patch_text_similarity/blocks.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

void check(const Patches& patches, const PackedMatrix& text) {
  if (patches.windows >= 0 && patches.n >= 0 && patches.d >= 1 && text.n() >= 1 &&
      text.k() == patches.d) {
    return;
  }
  throw ShapeError("got features [" + std::to_string(patches.windows) + ", " +
                   std::to_string(patches.n) + ", " + std::to_string(patches.d) + "] and text [" +
                   std::to_string(text.n()) + ", " + std::to_string(text.k()) +
                   "]; expected one width and a number of queries of at least 1");
}

void check(const QueryClasses& classes, int64_t queries) {
  for (int64_t q = 0; q < queries; ++q) {
    if (classes.of_query[q] >= 0 && classes.of_query[q] < classes.count) continue;
    throw ShapeError("query " + std::to_string(q) + " has class " +
                     std::to_string(classes.of_query[q]) + ", expected 0 to " +
                     std::to_string(classes.count - 1));
  }
}

void run(const SimilarityJob& job, ThreadPool& pool) {
  check(job.patches, job.text);
  if (job.classes != nullptr) check(*job.classes, job.text.n());
  pool.parallel_for(similarity_tiles(job.patches),
                    [&](int64_t begin, int64_t end) { similarity_block(job, begin, end); });
}

}  // namespace

void patch_text_similarity(const Patches& patches, const PackedMatrix& text, bool normalize,
                           float* out, ThreadPool& pool) {
  run({patches, text, normalize, nullptr, out, {}}, pool);
}

void class_similarity(const Patches& patches, const PackedMatrix& text, bool normalize,
                      const QueryClasses& classes, float* out, ThreadPool& pool) {
  run({patches, text, normalize, &classes, out, {}}, pool);
}

void top_classes(const Patches& patches, const PackedMatrix& text, bool normalize,
                 const QueryClasses* classes, const TopClasses& out, ThreadPool& pool) {
  run({patches, text, normalize, classes, nullptr, out}, pool);
}

void patch_text_similarity(const float* features, int64_t n, int64_t d, const float* text,
                           int64_t q, bool normalize, float* out, ThreadPool& pool) {
  const Patches patches{features, FloatType::kFloat32, 1, n, d};
  const PackedMatrix packed = PackedMatrix::pack_transposed(text, d, d, q, pool);
  patch_text_similarity(patches, packed, normalize, out, pool);
}

}  // namespace vocabseg::kernels
