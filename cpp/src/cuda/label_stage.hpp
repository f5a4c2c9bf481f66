// From features to labels, on the device.
#pragma once

#include <tuple>

#include "cuda/launcher.hpp"
#include "frame_encoder.hpp"
#include "vocabseg/segmenter.hpp"
#include "vocabseg/vocabulary.hpp"

namespace vocabseg::cuda {

struct DecodeSettings {
  bool scores = false;
  float threshold = 0, logit_scale = 1;

  bool operator<(const DecodeSettings& other) const {
    return std::tie(scores, threshold, logit_scale) <
           std::tie(other.scores, other.threshold, other.logit_scale);
  }
};

class LabelStage {
 public:
  LabelStage(const Manifest& manifest, const SharedGpu& gpu);

  // Uploads the words' rows and classes. Returns whether launches change beyond what they read.
  bool set_words(const Vocabulary& vocabulary, const DeviceStream& stream);

  // Allocates for frames of this plan and for the words, and uploads the weights of their pixels.
  void prepare(const FramePlan& plan, const DeviceStream& stream);

  // Queue a kernel each, on features [windows, patches, dim] float32, and the copy down.
  void compare(const std::byte* features, Launcher& launcher);
  void decode(const DecodeSettings& settings, Launcher& launcher);
  void download(const DecodeSettings& settings, const DeviceStream& stream);

  // Of the last frame, once the stream has been waited for: fills labels, scores and unlabeled.
  void read(const DecodeSettings& settings, Segmentation& out) const;

 private:
  struct Axis {
    explicit Axis(const SharedGpu& gpu) : offset(gpu), weight(gpu) {}
    DeviceBuffer offset, weight;
    int taps = 0;
  };

  void fill(Axis& axis, const kernels::AxisWeights& weights, int64_t window, int64_t patch,
            const DeviceStream& stream);
  bool wide() const { return classes_ > 255; }
  int64_t unlabeled() const { return wide() ? 65535 : 255; }
  size_t label_bytes() const;
  size_t scores_at() const;  // bytes from the labels to the scores

  Manifest manifest_;
  int64_t queries_ = 0, classes_ = 0;
  int64_t height_ = 0, width_ = 0, windows_ = 0;
  DeviceBuffer text_, order_, label_of_;
  Axis rows_, cols_;
  DeviceBuffer similarity_;  // [windows, queries, patches]
  DeviceBuffer result_;      // labels, then scores: one copy down
  PinnedBuffer read_;
};

}  // namespace vocabseg::cuda
