// From a frame to normalised windows, on the device.
#pragma once

#include <cstdint>

#include "cuda/frame_pixels.hpp"
#include "cuda/launcher.hpp"
#include "kernels/common/window_plan.h"
#include "vocabseg/bundle.hpp"

namespace vocabseg::cuda {

class WindowStage {
 public:
  WindowStage(const Manifest& manifest, const SharedGpu& gpu);

  // Allocates for frames of this plan, and uploads their tables.
  void prepare(const kernels::WindowPlan& plan, const DeviceStream& stream);

  // A frame's planes in device memory: RGB without chroma, else NV12 without gaps.
  struct Source {
    const std::byte* data;
    int64_t height, width, row_stride, pixel_stride;
    const std::byte* chroma;
  };

  // Queues the copy of the frame, where it must be copied.
  Source upload(const FramePixels& frame, const DeviceStream& stream);
  // Queues the kernels.
  void queue(const Source& source, Launcher& launcher);

  // Windows [windows, 3, padded_h, padded_w] float32.
  std::byte* windows() const { return windows_.data(); }

 private:
  // Three interleaved bytes a pixel, in device memory.
  struct Image {
    const std::byte* data;
    int64_t height, width, row_stride, pixel_stride;
  };
  struct Axis {
    explicit Axis(const SharedGpu& gpu) : first(gpu), weights(gpu) {}
    DeviceBuffer first, weights;
    int taps = 0;
  };

  Source rgb(const FramePixels& frame, const DeviceStream& stream);
  Source nv12(const FramePixels& frame, const DeviceStream& stream);
  Image converted(const Source& source, Launcher& launcher);
  Image bicubic(const Image& image, Launcher& launcher);
  Image filtered(const Image& image, int axis, DeviceBuffer& to, Launcher& launcher);
  void cut(const Image& image, Launcher& launcher);

  Manifest manifest_;
  kernels::WindowPlan plan_;
  DeviceBuffer lookup_, row_taps_, col_taps_, ys_, xs_;
  Axis rows_, cols_;                       // bicubic
  DeviceBuffer source_, converted_;        // a frame's bytes, and NV12 as RGB
  DeviceBuffer first_pass_, second_pass_;  // bicubic
  DeviceBuffer windows_;
};

}  // namespace vocabseg::cuda
