// How much memory a piece of code takes from operator new at once, in all threads.
#pragma once

#include <cstdint>

namespace vocabseg {

class AllocationCount {
 public:
  AllocationCount();
  int64_t peak() const;  // bytes, more than there were when the count began

 private:
  int64_t begin_;
};

}  // namespace vocabseg
