// 2^x on vectors of float32.
#if defined(VOCABSEG_LABEL_DECODING_EXP2_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VOCABSEG_LABEL_DECODING_EXP2_INL_H_
#undef VOCABSEG_LABEL_DECODING_EXP2_INL_H_
#else
#define VOCABSEG_LABEL_DECODING_EXP2_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Exponents below it give 2^-125: next to the largest term, 1, a softmax can't tell it from 0.
constexpr float kLowestExponent = -125;

// 2^(x * scale) for kLowestExponent <= x * scale <= 0, to a relative error below 2e-7; exactly 1 at
// 0. The whole part n goes into the exponent's bits, the rest, within half of 0, into a polynomial:
// the best of degree 5 for the relative error, 9.2e-8, among those that are 1 at 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp2_of_product(D d, V x, V scale) {
  const hn::RebindToSigned<D> di;
  const V magic = hn::Set(d, 0x1.8p23f);  // rounds to whole numbers, n in the low bits
  const V shifted = hn::MulAdd(x, scale, magic);
  const V fraction = hn::MulSub(x, scale, hn::Sub(shifted, magic));
  V power = hn::Set(d, 0.001326472725273458f);
  power = hn::MulAdd(power, fraction, hn::Set(d, 0.009671512785779587f));
  power = hn::MulAdd(power, fraction, hn::Set(d, 0.05550733744470962f));
  power = hn::MulAdd(power, fraction, hn::Set(d, 0.24022242083111797f));
  power = hn::MulAdd(power, fraction, hn::Set(d, 0.6931469775976794f));
  power = hn::MulAdd(power, fraction, hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(di, shifted));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, power), exponent));
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
