// The kernels of a frame in plain C++ on the host, for the fake driver: what kernels/*/triton.py
// says each of them writes, with no regard to speed.
#pragma once

#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace vocabseg::cuda {

// The parameters of a launch by name, laid out as a cubin's manifest entry says.
class LaunchArguments {
 public:
  LaunchArguments(const nlohmann::json& entry, const std::vector<unsigned char>& bytes)
      : entry_(entry), bytes_(bytes) {}

  template <class T>
  T* pointer(const char* name) const {
    return reinterpret_cast<T*>(read<uintptr_t>(name));
  }
  int64_t integer(const char* name) const { return read<int32_t>(name); }
  float real(const char* name) const { return read<float>(name); }
  int64_t constant(const char* name) const { return entry_["variant"][name].get<int64_t>(); }

  // Integers and floats, as a recorded launch has them.
  nlohmann::json numbers() const;

 private:
  template <class T>
  T read(const std::string& name) const {
    for (const auto& argument : entry_["arguments"]) {
      if (argument["name"] != name) continue;
      T value;
      std::memcpy(&value, bytes_.data() + argument["offset"].get<size_t>(), sizeof(value));
      return value;
    }
    throw std::out_of_range(name);
  }

  const nlohmann::json& entry_;
  const std::vector<unsigned char>& bytes_;
};

void run_on_host(const std::string& kernel, const LaunchArguments& arguments);

// Those of mask pooling; false if it is none of them.
bool run_pooling_on_host(const std::string& kernel, const LaunchArguments& arguments);

}  // namespace vocabseg::cuda
