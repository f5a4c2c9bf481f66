#include "gpu_segmenter.hpp"

#include <utility>

#include "vocabseg/error.hpp"

namespace vocabseg {

GpuSegmenter::GpuSegmenter(const Manifest& manifest, Engine& engine, const Settings& settings)
    : frame_(manifest, engine, cuda::CubinSet::open(settings.cubins),
             std::make_shared<const cuda::Gpu>()) {}

Segmentation GpuSegmenter::segment(const FramePixels& frame,
                                   std::shared_ptr<const Vocabulary> vocabulary,
                                   const SegmentOptions& options) {
  if (words_ != vocabulary) {
    words_.reset();
    frame_.set_vocabulary(*vocabulary);
    words_ = std::move(vocabulary);
  }
  return frame_.segment(frame, options);
}

std::unique_ptr<GpuSegmenter> make_gpu_segmenter(const Manifest& manifest, Engine& engine,
                                                 const Settings& settings, std::string& why) {
  why = cuda::cpu_only_part(manifest);
  if (!why.empty()) {
    why += " of the method " + manifest.method + " has no GPU version";
  } else if (!engine.traits().device_memory) {
    why = "the engine " + engine.id() + " runs on the CPU";
  } else if (settings.cubins.empty()) {
    why = "no cubins are given (Settings::cubins)";
  }
  return why.empty() ? std::make_unique<GpuSegmenter>(manifest, engine, settings) : nullptr;
}

}  // namespace vocabseg
