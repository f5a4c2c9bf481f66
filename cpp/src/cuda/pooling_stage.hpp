// From features and masks to pooled features, on the device.
#pragma once

#include <vector>

#include "cuda/frame_tables.hpp"
#include "cuda/launcher.hpp"
#include "frame_encoder.hpp"
#include "vocabseg/segmenter.hpp"

namespace vocabseg::cuda {

class PoolingStage {
 public:
  PoolingStage(const Manifest& manifest, const SharedGpu& gpu);

  // For frames of this plan: uploads which pixels each patch reaches.
  void prepare(const FramePlan& plan, const DeviceStream& stream);

  // Queues the masks' copy up and the kernels on features [windows, patches, dim] float32. Throws
  // MaskError on masks that are none of this frame.
  void queue(const std::byte* features, const Masks& masks, Launcher& launcher);
  // Queues the copy down.
  void download(const DeviceStream& stream);

  // Of the last masks, once the stream has been waited for: mean features (not unit) and areas.
  void read(RegionLabels& out) const;

 private:
  struct Axis {
    explicit Axis(const SharedGpu& gpu) : first(gpu), weights(gpu), owner(gpu), at(gpu) {}
    DeviceBuffer first, weights, owner, at;
    int64_t patches = 0, span = 0, pixels = 0;
  };
  // Masks in device memory, with the axes along which they lie.
  struct Placed {
    const char* kernel;
    int64_t form;
    const Axis *rows, *cols;
  };
  class Placing;

  void fill(Axis& axis, const kernels::AxisWeights& weights, int64_t window, int64_t patch,
            const DeviceStream& stream);
  void push_down(const Placed& masks, Launcher& launcher);
  void pool(const std::byte* features, Launcher& launcher);
  size_t pooled_bytes() const;
  size_t result_bytes() const;

  int64_t dim_, cells_ = 0;
  Axis rows_, cols_;
  int64_t count_ = 0, counters_ = 0;           // masks; and counts of a mask
  std::vector<int32_t> ends_, first_of_mask_;  // of run lengths, while they are copied
  DeviceBuffer run_ends_, first_run_, masks_, sums_, weights_, ones_;
  DeviceBuffer result_;  // pooled features, then counts: one copy down
  PinnedBuffer read_;
};

}  // namespace vocabseg::cuda
