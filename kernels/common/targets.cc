#include "kernels/common/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/common/targets.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "vocabseg/error.hpp"

HWY_BEFORE_NAMESPACE();
namespace vocabseg::kernels::HWY_NAMESPACE {
int64_t this_target() { return HWY_TARGET; }
}  // namespace vocabseg::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vocabseg::kernels {

HWY_EXPORT(this_target);

std::vector<std::string> supported_targets() {
  std::vector<std::string> names;
  for (int64_t target : hwy::SupportedAndGeneratedTargets())
    names.push_back(hwy::TargetName(target));
  return names;
}

std::string active_target() { return hwy::TargetName(HWY_DYNAMIC_DISPATCH(this_target)()); }

void force_target(const std::string& name) {
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
  if (name.empty()) return;
  std::string known;
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (name == hwy::TargetName(target)) return hwy::SetSupportedTargetsForTest(target);
    known += std::string(known.empty() ? "" : ", ") + hwy::TargetName(target);
  }
  throw BackendUnavailable("got target " + name + ", this machine and build have " + known);
}

}  // namespace vocabseg::kernels
#endif
