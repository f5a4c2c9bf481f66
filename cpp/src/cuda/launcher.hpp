// Kernels of a cubin set on one stream, loaded once.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "cuda/device_stream.hpp"
#include "vocabseg/cuda_kernels.hpp"

namespace vocabseg::cuda {

class Launcher {
 public:
  Launcher(const SharedGpu& gpu, CubinSet cubins)
      : stream_(gpu), cubins_(std::move(cubins)), device_(gpu->device().index) {}

  const DeviceStream& stream() const { return stream_; }

  // As CubinSet::load and Kernel::launch.
  void launch(const std::string& kernel, const std::string& dtype, const Variant& variant,
              const std::vector<Argument>& arguments) {
    const auto key = std::make_tuple(kernel, dtype, variant);
    auto found = loaded_.find(key);
    if (found == loaded_.end()) {
      found = loaded_.emplace(key, cubins_.load(kernel, dtype, variant, device_)).first;
    }
    found->second.launch(arguments, stream_.handle());
  }

 private:
  DeviceStream stream_;
  CubinSet cubins_;
  int device_;
  std::map<std::tuple<std::string, std::string, Variant>, Kernel> loaded_;
};

}  // namespace vocabseg::cuda
