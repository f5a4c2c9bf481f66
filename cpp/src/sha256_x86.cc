// SHA-256 with the SHA instructions of x86: bundles are hundreds of megabytes.
#include "sha256.hpp"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define VOCABSEG_SHA __attribute__((target("sha,sse4.1")))

namespace vocabseg {
namespace {

// The big-endian words of a block, four at a time.
VOCABSEG_SHA __m128i load_words(const uint8_t* bytes) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  return _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)), swap);
}

// Words t..t+3 of the schedule from the sixteen before them.
VOCABSEG_SHA __m128i next_words(__m128i w16, __m128i w12, __m128i w8, __m128i w4) {
  const __m128i w7 = _mm_alignr_epi8(w4, w8, 4);  // words t-7..t-4
  return _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w16, w12), w7), w4);
}

}  // namespace

bool has_sha_instructions() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kSha = 1u << 29;
  return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & kSha);
}

// The instructions want the state as the rows (f, e, b, a) and (h, g, d, c), lowest word first.
VOCABSEG_SHA void sha256_compress_fast(uint32_t state[8], const uint8_t* block) {
  auto* rows = reinterpret_cast<__m128i*>(state);
  const __m128i dcba = _mm_loadu_si128(rows), hgfe = _mm_loadu_si128(rows + 1);
  const __m128i badc = _mm_shuffle_epi32(dcba, 0xB1), fehg = _mm_shuffle_epi32(hgfe, 0x1B);
  const __m128i old_feba = _mm_alignr_epi8(badc, fehg, 8);
  const __m128i old_hgdc = _mm_blend_epi16(fehg, badc, 0xF0);
  __m128i feba = old_feba, hgdc = old_hgdc;
  __m128i words[4];
  for (int i = 0; i < 4; ++i) words[i] = load_words(block + 16 * i);
  for (int i = 0; i < 16; ++i) {  // four rounds each
    const auto* round = reinterpret_cast<const __m128i*>(kSha256Round) + i;
    const __m128i sum = _mm_add_epi32(words[i % 4], _mm_load_si128(round));
    hgdc = _mm_sha256rnds2_epu32(hgdc, feba, sum);
    feba = _mm_sha256rnds2_epu32(feba, hgdc, _mm_shuffle_epi32(sum, 0x0E));
    words[i % 4] =
        next_words(words[i % 4], words[(i + 1) % 4], words[(i + 2) % 4], words[(i + 3) % 4]);
  }
  feba = _mm_add_epi32(feba, old_feba);
  hgdc = _mm_add_epi32(hgdc, old_hgdc);
  const __m128i abef = _mm_shuffle_epi32(feba, 0x1B), dchg = _mm_shuffle_epi32(hgdc, 0xB1);
  _mm_storeu_si128(rows, _mm_blend_epi16(abef, dchg, 0xF0));
  _mm_storeu_si128(rows + 1, _mm_alignr_epi8(dchg, abef, 8));
}

}  // namespace vocabseg

#else

namespace vocabseg {

bool has_sha_instructions() { return false; }
void sha256_compress_fast(uint32_t state[8], const uint8_t* block) {
  sha256_compress(state, block);
}

}  // namespace vocabseg

#endif
