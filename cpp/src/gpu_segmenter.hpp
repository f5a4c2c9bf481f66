// Whole frames on the GPU, for a segmenter whose engine, settings and method allow them.
#pragma once

#include <memory>
#include <string>

#include "cuda/gpu_frame.hpp"
#include "vocabseg/settings.hpp"

namespace vocabseg {

// One call at a time.
class GpuSegmenter {
 public:
  // The engine must outlive it. Throws BackendUnavailable where driver, device or kernels are
  // missing, BundleError where the set of cubins is damaged.
  GpuSegmenter(const Manifest& manifest, Engine& engine, const Settings& settings);

  // Uploads the words if they are others than those of the last frame.
  Segmentation segment(const FramePixels& frame, std::shared_ptr<const Vocabulary> vocabulary,
                       const SegmentOptions& options);
  RegionLabels pool_masks(const FramePixels& frame, const Masks& masks) {
    return frame_.pool_masks(frame, masks);
  }

 private:
  cuda::GpuFrame frame_;
  std::shared_ptr<const Vocabulary> words_;
};

// Null where the networks run on the GPU at most; `why` says what keeps the frame from it then.
std::unique_ptr<GpuSegmenter> make_gpu_segmenter(const Manifest& manifest, Engine& engine,
                                                 const Settings& settings, std::string& why);

}  // namespace vocabseg
