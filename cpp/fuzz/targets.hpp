// One function per op: it makes shapes and arguments, good ones and bad ones, from an input and
// calls the op. What the op must not do is crash, touch memory that is not its own, or throw
// anything but a VocabsegError.
#pragma once

#include <cstdint>
#include <vector>

#include "bytes.hpp"
#include "kernels/common/axis_weights.h"
#include "kernels/common/float_types.h"
#include "kernels/common/image_view.h"
#include "kernels/common/thread_pool.h"
#include "kernels/common/window_plan.h"
#include "kernels/label_decoding/cpu.h"

namespace vocabseg::fuzz {

// What an op has written, in any order: compared between numbers of threads.
class Output {
 public:
  template <class T>
  void add(const std::vector<T>& values) {
    const auto* begin = reinterpret_cast<const uint8_t*>(values.data());
    bytes_.insert(bytes_.end(), begin, begin + values.size() * sizeof(T));
  }
  bool operator==(const Output& other) const { return bytes_ == other.bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

// Ends the program unless `holds`.
void expect(bool holds, const char* what);

Output label_decoding(Bytes& input, kernels::ThreadPool& pool);
Output label_vote(Bytes& input, kernels::ThreadPool& pool);
Output mask_pooling(Bytes& input, kernels::ThreadPool& pool);
Output mask_classification(Bytes& input, kernels::ThreadPool& pool);
Output run_lengths(Bytes& input, kernels::ThreadPool& pool);
Output patch_text_similarity(Bytes& input, kernels::ThreadPool& pool);
Output correlative_attention(Bytes& input, kernels::ThreadPool& pool);
Output pamr(Bytes& input, kernels::ThreadPool& pool);
Output preprocessing(Bytes& input, kernels::ThreadPool& pool);

// Parts that several ops take.

kernels::WindowPlan plan(Bytes& input);

struct Weights {
  kernels::AxisWeights rows, cols;

  int64_t pixels() const { return int64_t{rows.rows} * cols.rows; }
  int64_t patches() const { return int64_t{rows.columns()} * cols.columns(); }
};
Weights weights(Bytes& input);

// Options and the arrays that they point to.
struct Decoding {
  explicit Decoding(Bytes& input);
  Decoding(const Decoding&) = delete;
  Decoding& operator=(const Decoding&) = delete;

  int queries;
  std::vector<int32_t> query_to_class;
  std::vector<uint8_t> enabled;
  kernels::DecodeOptions options;
};

// Every label is a class or the unlabelled value.
template <class Label>
void expect_labels(const std::vector<Label>& labels, const kernels::DecodeOptions& options) {
  for (const Label label : labels) {
    expect(label < options.classes || label == options.unlabeled, "a label is none of the classes");
  }
}

// An array of any float type.
struct FloatArray {
  FloatArray(Bytes& input, kernels::FloatType type, int64_t n);

  const void* data() const {
    return single.empty() ? half.data() : static_cast<const void*>(single.data());
  }

  std::vector<float> single;
  std::vector<uint16_t> half;
};
kernels::FloatType float_type(Bytes& input);

struct Image {
  Image(Bytes& input, int height, int width);

  std::vector<uint8_t> pixels;
  kernels::ImageView view;
};

}  // namespace vocabseg::fuzz
