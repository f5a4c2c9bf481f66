// A small fixed pool of threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace vocabseg::kernels {

// Runs loops over an index range. The range is cut into contiguous chunks, which go to whichever
// thread is free; the calling thread works too. Every op computes an index from its inputs alone,
// never from a neighbour's chunk, so results are the same bits for any number of threads.
//
// A thread that runs out of work spins for some 20 microseconds before it sleeps, so that loops
// that follow each other closely start at once; between frames all threads sleep.
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
  // Chunks have `grain` indices; 0 stands for equal shares, one a thread. A range of one chunk runs
  // on the calling thread. Give a grain where indices differ in cost, or where a share may be too
  // small to be worth waking a thread for (some 20 microseconds).
  // Calls from several threads wait for each other; a body must not call parallel_for of its own
  // pool. The first exception that a body throws is thrown again here.
  void parallel_for(int64_t n, const Body& body, int64_t grain = 0);

 private:
  void work();
  bool run_chunk();

  std::vector<std::thread> workers_;
  bool spin_ = false;   // whether every thread has a core of its own
  std::mutex callers_;  // held by the caller whose loop is running

  // The loop that runs. Whoever takes a chunk may read these until it has finished that chunk.
  const Body* body_ = nullptr;
  int64_t size_ = 0;
  int64_t grain_ = 0;
  std::atomic<uint64_t> ticket_{0};      // number of the loop << 32 | chunks that nobody has taken
  std::atomic<uint32_t> unfinished_{0};  // chunks

  std::mutex mutex_;  // guards what follows
  std::condition_variable start_, done_;
  int sleepers_ = 0;
  bool stop_ = false;
  std::exception_ptr error_;
};

}  // namespace vocabseg::kernels
