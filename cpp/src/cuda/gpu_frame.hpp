// A whole frame on the device: copy up, preprocessing, image engine, similarity, label decoding or
// mask pooling on one stream, one copy down. Memory is allocated per frame size; from the second
// frame of a size on, all behind preprocessing is one CUDA graph where the engine allows it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cuda/frame_pixels.hpp"
#include "cuda/gpu_limits.hpp"
#include "cuda/label_stage.hpp"
#include "cuda/launcher.hpp"
#include "cuda/pooling_stage.hpp"
#include "cuda/window_stage.hpp"
#include "stage_clock.hpp"
#include "vocabseg/segmenter.hpp"

namespace vocabseg::cuda {

// One call at a time. The results are those of Segmenter on a CPU.
class GpuFrame {
 public:
  // The engine must outlive the frame. Throws BackendUnavailable where driver, device or a kernel
  // is missing, the engine takes no device memory, or the method needs more than the GPU does (a
  // second pass, or extra outputs of the image encoder); EngineError.
  GpuFrame(const Manifest& manifest, Engine& engine, const CubinSet& cubins, SharedGpu gpu);
  GpuFrame(const GpuFrame&) = delete;
  GpuFrame& operator=(const GpuFrame&) = delete;

  // Uploads the words' rows. Throws EngineError.
  void set_vocabulary(const Vocabulary& vocabulary);

  // Throw ImageError, EngineError, VocabularyError (no words set); BackendUnavailable where the
  // bundle has a step after the labels that has no GPU version, and says which. The stages of
  // `timing` are "upload", "preprocess", "encode", "similarity", "decode" and "download", by the
  // device's clock, and "total".
  Segmentation segment(const FramePixels& frame, const SegmentOptions& options = {});
  // Needs no words: fills area, features (unit rows), dim, backend and timing, where "pooling",
  // with the masks' copy up, stands for "similarity" and "decode".
  RegionLabels pool_masks(const FramePixels& frame, const Masks& masks);

 private:
  // The ends of a frame's stages.
  enum Mark { kBegan, kUploaded, kPrepared, kEncoded, kCompared, kAnswered, kDone, kMarks };
  using Stage = std::pair<Mark, const char*>;

  void prepare(const FramePixels& frame);
  WindowRuns runs() const;
  int64_t windows_of_run() const;
  void run_engine();
  void run_windows(int64_t first, int64_t count);
  void mark(Mark mark) const;
  void begin(const FramePixels& frame);
  void label(const DecodeSettings& settings);
  void drop_stale_graphs();
  void run(const DecodeSettings& settings);
  template <class Work>
  auto on_device(const Work& work);
  Timing finish(StageClock& clock, const std::vector<Stage>& stages) const;

  Manifest manifest_;
  Engine& engine_;
  SharedGpu gpu_;
  Launcher launcher_;
  Event written_;
  std::vector<Event> marks_;
  WindowStage windows_;
  LabelStage labels_;
  PoolingStage pooling_;
  DeviceBuffer features_;  // [windows, patches, dim]

  FramePlan plan_;
  bool has_words_ = false;
  bool labels_ready_ = false, pooling_ready_ = false;  // for the plan, and the words
  // By what a graph cannot change; absent before a frame ran without one, empty if there can be
  // none.
  std::map<DecodeSettings, std::optional<Graph>> graphs_;
  uint64_t engine_state_ = 0;  // that they were made in
};

}  // namespace vocabseg::cuda
