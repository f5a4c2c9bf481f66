#include "kernels/common/thread_pool.h"

#include <algorithm>
#include <chrono>

namespace vocabseg::kernels {
namespace {

constexpr auto kSpin = std::chrono::microseconds(20);
constexpr int64_t kMaxChunks = 1 << 30;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits for a condition for a short while; whether it came true.
template <class Condition>
bool spin_until(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 16; ++i) {
      if (condition()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

bool has_chunks(uint64_t ticket) { return static_cast<uint32_t>(ticket) != 0; }

}  // namespace

ThreadPool::ThreadPool(int threads) {
  const auto cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  if (threads <= 0) threads = cores;
  spin_ = threads <= cores;
  for (int worker = 1; worker < threads; ++worker) {
    workers_.emplace_back([this] { work(); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::parallel_for(int64_t n, const Body& body, int64_t grain) {
  if (n <= 0) return;
  std::lock_guard callers(callers_);
  const int64_t share = (n + threads() - 1) / threads();
  if (grain <= 0) grain = share;
  grain = std::max(grain, n / kMaxChunks + 1);
  if (workers_.empty() || n <= grain) return body(0, n);

  const auto chunks = static_cast<uint32_t>((n + grain - 1) / grain);
  body_ = &body;
  size_ = n;
  grain_ = grain;
  unfinished_.store(chunks, std::memory_order_relaxed);
  int sleepers;
  {
    std::lock_guard lock(mutex_);
    error_ = nullptr;
    sleepers = sleepers_;
    ticket_.store(((ticket_.load(std::memory_order_relaxed) >> 32) + 1) << 32 | chunks,
                  std::memory_order_release);
  }
  for (uint32_t i = 1; i < chunks && sleepers > 0; ++i, --sleepers) start_.notify_one();

  while (run_chunk()) {
  }
  const auto finished = [this] { return unfinished_.load(std::memory_order_acquire) == 0; };
  if (!spin_ || !spin_until(finished)) {
    std::unique_lock lock(mutex_);
    done_.wait(lock, finished);
  }
  std::lock_guard lock(mutex_);
  if (error_) std::rethrow_exception(error_);
}

void ThreadPool::work() {
  for (;;) {
    while (run_chunk()) {
    }
    if (spin_ &&
        spin_until([this] { return has_chunks(ticket_.load(std::memory_order_relaxed)); })) {
      continue;
    }
    std::unique_lock lock(mutex_);
    ++sleepers_;
    start_.wait(lock,
                [this] { return stop_ || has_chunks(ticket_.load(std::memory_order_relaxed)); });
    --sleepers_;
    if (stop_) return;
  }
}

// Takes one chunk and runs it; false if there is none. While a chunk is unfinished its loop can't
// end, so the loop's fields stay.
bool ThreadPool::run_chunk() {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  do {
    if (!has_chunks(ticket)) return false;
  } while (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
  const int64_t chunks = (size_ + grain_ - 1) / grain_;
  const int64_t begin = (chunks - static_cast<uint32_t>(ticket)) * grain_;
  try {
    (*body_)(begin, std::min(begin + grain_, size_));
  } catch (...) {
    std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
  if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    std::lock_guard lock(mutex_);
    done_.notify_one();
  }
  return true;
}

}  // namespace vocabseg::kernels
