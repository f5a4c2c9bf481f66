// A small fixed pool of threads.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace vocabseg::kernels {

// Runs loops over an index range. The range is cut into at most `threads()` contiguous chunks, and
// the calling thread works too. Every op computes an index from its inputs alone, never from a
// neighbour's chunk, so results are the same bits for any number of threads.
class ThreadPool {
 public:
  using Body = std::function<void(int64_t begin, int64_t end)>;

  // threads <= 0: as many as the machine has.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end) on disjoint chunks that cover [0, n) and returns when all are done.
  // Calls from several threads wait for each other; a body must not call parallel_for of its own
  // pool. The first exception that a body throws is thrown again here.
  void parallel_for(int64_t n, const Body& body);

 private:
  void work(int worker);
  void run_chunk(int chunk);

  std::vector<std::thread> workers_;
  std::mutex callers_;  // held by the caller whose loop is running

  std::mutex mutex_;  // guards everything below
  std::condition_variable start_, done_;
  const Body* body_ = nullptr;
  int64_t size_ = 0;
  int chunks_ = 0;
  int pending_ = 0;
  uint64_t round_ = 0;
  bool stop_ = false;
  std::exception_ptr error_;
};

}  // namespace vocabseg::kernels
