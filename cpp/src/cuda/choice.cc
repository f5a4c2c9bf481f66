// Which cubin runs on a device.
#include <algorithm>
#include <functional>
#include <set>

#include "cuda/cubin.hpp"
#include "vocabseg/error.hpp"

namespace vocabseg::cuda {
namespace {

// Jetson's chips: NVIDIA promises no binary compatibility between them and others of their major
// version (CUDA C++ Programming Guide, "Binary Compatibility").
bool is_jetson(int arch) {
  return arch == 53 || arch == 62 || arch == 72 || arch == 87 || arch == 110;
}

using Text = std::function<std::string(const CubinInfo&)>;

// Keeps the cubins that `wanted` accepts. Throws, with what there is instead, if that is none.
std::vector<const Cubin*> keep(const std::vector<const Cubin*>& cubins, const std::string& missing,
                               const Text& text,
                               const std::function<bool(const CubinInfo&)>& wanted) {
  std::vector<const Cubin*> kept;
  for (const Cubin* cubin : cubins) {
    if (wanted(cubin->info)) kept.push_back(cubin);
  }
  if (!kept.empty()) return kept;
  std::set<std::string> offered;
  for (const Cubin* cubin : cubins) offered.insert(text(cubin->info));
  std::string list;
  for (const std::string& each : offered) list += (list.empty() ? "" : ", ") + each;
  throw BackendUnavailable(
      "the set of cubins has no " + missing + ", it has " + list +
      "; use another implementation (impl=\"triton\" compiles at run time), or "
      "build another set: python -m vocabseg.kernels.aot");
}

std::string arch_text(const CubinInfo& cubin) {
  return "sm_" + std::to_string(cubin.arch) + (cubin.exact_arch ? "a" : "");
}

}  // namespace

bool CubinInfo::runs_on(int device_arch) const {
  if (arch == device_arch) return true;
  if (exact_arch || is_jetson(arch) || is_jetson(device_arch)) return false;
  return arch / 10 == device_arch / 10 && arch < device_arch;
}

std::string variant_text(const Variant& variant) {
  std::string list;
  for (const auto& [key, value] : variant) {
    list += (list.empty() ? "" : " ") + key + "=" + std::to_string(value);
  }
  return list.empty() ? "without constants" : list;
}

std::string Cubin::name() const {
  return info.kernel + " " + info.dtype + " " + variant_text(info.variant);
}

size_t choose_cubin(const std::vector<Cubin>& cubins, const std::string& kernel,
                    const std::string& dtype, const Variant& variant, int arch) {
  std::vector<const Cubin*> left;
  for (const Cubin& cubin : cubins) left.push_back(&cubin);
  left = keep(
      left, "kernel " + kernel, [](const CubinInfo& cubin) { return cubin.kernel; },
      [&](const CubinInfo& cubin) { return cubin.kernel == kernel; });
  left = keep(
      left, kernel + " for " + dtype, [](const CubinInfo& cubin) { return cubin.dtype; },
      [&](const CubinInfo& cubin) { return cubin.dtype == dtype; });
  left = keep(
      left, kernel + " " + dtype + " " + variant_text(variant),
      [](const CubinInfo& cubin) { return variant_text(cubin.variant); },
      [&](const CubinInfo& cubin) { return cubin.variant == variant; });
  left = keep(left, left.front()->name() + " that runs on sm_" + std::to_string(arch), arch_text,
              [&](const CubinInfo& cubin) { return cubin.runs_on(arch); });
  const auto best = std::max_element(left.begin(), left.end(), [](const Cubin* a, const Cubin* b) {
    return std::pair(a->info.arch, a->info.exact_arch) <
           std::pair(b->info.arch, b->info.exact_arch);
  });
  return static_cast<size_t>(*best - cubins.data());
}

}  // namespace vocabseg::cuda
