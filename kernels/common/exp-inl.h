// The exponential function, for the softmaxes of ops.
#if defined(VOCABSEG_KERNELS_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VOCABSEG_KERNELS_EXP_INL_H_
#undef VOCABSEG_KERNELS_EXP_INL_H_
#else
#define VOCABSEG_KERNELS_EXP_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// e^x for x below 87, to a relative error of 1e-7 (1 + |x| / 5): exactly 1 at 0, 0 below -87, NaN
// for NaN. x log2(e) is split into an integer, which becomes the exponent, and a rest in
// [-1/2, 1/2] for a minimax polynomial of 2^rest.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exponential(D d, V x) {
  const hn::RebindToSigned<D> integers;
  const V round = hn::Set(d, 0x1.8p23f);  // leaves an integer in the low bits of a sum
  const V log2e = hn::Set(d, 0x1.715476p0f);
  const V shifted = hn::MulAdd(x, log2e, round);
  const V rest = hn::MulSub(x, log2e, hn::Sub(shifted, round));
  V p = hn::Set(d, 0x1.41d334p-13f);
  p = hn::MulAdd(p, rest, hn::Set(d, 0x1.5f456ap-10f));
  p = hn::MulAdd(p, rest, hn::Set(d, 0x1.3b2dbcp-7f));
  p = hn::MulAdd(p, rest, hn::Set(d, 0x1.c6aed4p-5f));
  p = hn::MulAdd(p, rest, hn::Set(d, 0x1.ebfbdap-3f));
  p = hn::MulAdd(p, rest, hn::Set(d, 0x1.62e43p-1f));
  p = hn::MulAdd(p, rest, hn::Set(d, 1));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(integers, shifted));
  const auto power = hn::BitCast(d, hn::Add(exponent, hn::Set(integers, 127 << 23)));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87)), hn::Mul(p, power));
}

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // per target
