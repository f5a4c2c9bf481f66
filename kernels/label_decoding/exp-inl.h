// The exponential function on vectors of float32.
#if defined(VOCABSEG_LABEL_DECODING_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VOCABSEG_LABEL_DECODING_EXP_INL_H_
#undef VOCABSEG_LABEL_DECODING_EXP_INL_H_
#else
#define VOCABSEG_LABEL_DECODING_EXP_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// exp(scale * x) for x <= 0 to a relative error below 3e-7, exactly 1 at 0. Where it is under
// 2^-125 it counts as that: next to the largest term, 1, a softmax can't tell it from 0.
class ExpOfProduct {
  using D = hn::ScalableTag<float>;
  using V = hn::Vec<D>;

 public:
  explicit ExpOfProduct(float scale)
      : scale_(std::min(scale * 1.44269504088896341f, std::numeric_limits<float>::max())),
        lowest_(std::max(-125 / scale_, std::numeric_limits<float>::lowest())) {}

  HWY_INLINE V operator()(V x) const {
    const D d;
    return exp2_of_product(hn::Max(x, hn::Set(d, lowest_)), hn::Set(d, scale_));
  }

 private:
  // 2^(x * scale). The whole part goes into the exponent's bits, the rest, within half of 0, into
  // a polynomial: the best of degree 5 for the relative error, 9.2e-8, of those that are 1 at 0.
  static HWY_INLINE V exp2_of_product(V x, V scale) {
    const D d;
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

  float scale_;   // from x to an exponent of 2
  float lowest_;  // the lowest x that is told from it
};

}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
