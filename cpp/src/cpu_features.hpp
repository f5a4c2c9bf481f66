#pragma once

#include <string>
#include <vector>

namespace vocabseg {

// The vector and matrix extensions of this CPU that engines and kernels make use of, by the names
// of /proc/cpuinfo; empty where there is no such file.
std::vector<std::string> cpu_features();

}  // namespace vocabseg
