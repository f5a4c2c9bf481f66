// Pictures and words in, labels out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "vocabseg/bundle.hpp"
#include "vocabseg/engine.hpp"
#include "vocabseg/settings.hpp"
#include "vocabseg/vocabulary.hpp"

namespace vocabseg {

// uint8 RGB pixels that the caller owns. Strides are in bytes and may be negative; a row_stride of
// 0 means that rows follow each other without gaps. pixel_stride 4 skips an alpha channel.
struct ImageView {
  const uint8_t* pixels = nullptr;
  int width = 0;
  int height = 0;
  int64_t row_stride = 0;
  int64_t pixel_stride = 3;
};

// A frame in host or device memory, RGB or NV12.
// The caller owns the bytes, and keeps them until the call that took them returns. Strides are in
// bytes; rows go downwards.
struct FramePixels {
  Memory memory = Memory::kHost;
  int width = 0, height = 0;
  const uint8_t* pixels = nullptr;  // RGB; luma [height, width] if there is chroma
  int64_t row_stride = 0;           // 0: no gaps between rows
  int64_t pixel_stride = 3;         // RGB only: 3, or 4 to skip a channel
  const uint8_t* chroma = nullptr;  // NV12: [height / 2, width / 2, (u, v)], BT.601 limited range
  int64_t chroma_stride = 0;
  // Device memory: what this stream has queued is done before the frame is read. None: the bytes
  // are there.
  std::optional<Stream> written_on = std::nullopt;
};

// Milliseconds per stage, in order; the last one is "total".
using Timing = std::vector<std::pair<std::string, double>>;

struct SegmentOptions {
  // Also return the probability of each pixel's class; where segments vote by majority, the share
  // of the segment's pixels that had this class.
  bool scores = false;
  std::optional<float> threshold;    // instead of the bundle's
  std::optional<float> logit_scale;  // instead of the bundle's
};

// [height, width], row-major. Classes are numbered as in the vocabulary; pixels of background
// classes, and pixels whose best class is less probable than the threshold, are unlabelled.
struct Segmentation {
  int height = 0, width = 0;
  std::variant<std::vector<uint8_t>, std::vector<uint16_t>> labels;  // 16 bits above 255 classes
  int unlabeled = 255;                                               // or 65535
  std::vector<float> scores;                                         // empty unless asked for
  std::string backend;
  Timing timing;

  int label(int y, int x) const;
};

// Masks of one image.
struct BoolMasks {  // [count, height, width], non-zero: inside
  const uint8_t* data = nullptr;
  int64_t count = 0;
};
struct LabelMap {  // [height, width]; mask m is where the value is m, negative belongs to none
  const int32_t* data = nullptr;
  int64_t count = 0;  // largest value + 1
};
using RunLengths =
    std::vector<std::vector<uint32_t>>;  // COCO counts: column-major, background first

struct Masks {
  int height = 0, width = 0;
  std::variant<BoolMasks, LabelMap, RunLengths> value;
};

// One row per mask.
struct RegionLabels {
  std::vector<int32_t> class_ids;  // -1 where the mask is empty or its class is background
  std::vector<float> scores;       // probability of the best class, 0 for an empty mask
  std::vector<int64_t> area;       // pixels
  std::vector<float> features;     // [masks, dim], unit rows, zero for an empty mask
  int dim = 0;
  std::string backend;
  Timing timing;
};

// Class-agnostic segments of a frame, int32 [height, width]: 0, 1, ... without gaps, or -1 where
// there is none. As a LabelMap they can be given to classify_masks.
struct Segments {
  int height = 0, width = 0;
  int64_t count = 0;
  std::vector<int32_t> ids;
  std::string backend;
  Timing timing;
};

// Unit features of a frame's patches, [height, width, dim].
struct FeatureMap {
  int height = 0, width = 0, dim = 0;
  std::vector<float> features;
};

// Where the windows of a frame lie.
struct FrameGeometry {
  int net_h = 0, net_w = 0;  // the frame is resized to this
  int window_h = 0, window_w = 0;
  int padded_h = 0, padded_w = 0, pad_top = 0, pad_left = 0;
  std::vector<int> ys, xs;  // first rows and columns
  int grid_h = 0, grid_w = 0;
};

// The networks of a bundle. `feedback` is needed where the manifest has a feedback encoder.
struct Engines {
  std::unique_ptr<Engine> image, feedback;
};

// Segments frames with one bundle. Calls from several threads are served one after another;
// set_vocabulary does not wait for a frame and takes effect with the next one.
class Segmenter {
 public:
  // Throws BackendUnavailable or EngineError.
  explicit Segmenter(const Bundle& bundle, const Settings& settings = {});
  // With engines of the caller's. Throws EngineError if one is missing.
  Segmenter(const Bundle& bundle, Engines engines, const Settings& settings = {});
  ~Segmenter();
  Segmenter(Segmenter&&) noexcept;
  Segmenter& operator=(Segmenter&&) noexcept;

  // Words are looked up in the bundle's stored vocabularies, then given to its text tower. Throws
  // VocabularyError; the former vocabulary stays then.
  void set_vocabulary(const std::vector<std::string>& entries);
  void set_vocabulary(const Vocabulary& vocabulary);

  // Throw ImageError, MaskError, VocabularyError (no words set), EngineError, Cancelled.
  Segmentation segment(const ImageView& image, const SegmentOptions& options = {});
  RegionLabels classify_masks(const ImageView& image, const Masks& masks);
  // A frame where it is: device memory is read without a copy, NV12 is converted on the device.
  // Throw BackendUnavailable too, unless whole frames run on the GPU (see Settings::cubins).
  Segmentation segment(const FramePixels& frame, const SegmentOptions& options = {});
  RegionLabels classify_masks(const FramePixels& frame, const Masks& masks);
  // Of a bundle with the step "feedback" the features depend on the words.
  FeatureMap features(const ImageView& image);
  // Needs no words. Throws BundleError if the bundle's method makes no segments.
  Segments segments(const ImageView& image);

  // The image engine alone: normalised windows [count, 3, window height, window width] to unit
  // features [count, patches, dim].
  std::vector<float> encode_windows(const float* windows, int64_t count);
  // Both passes, with the label of each patch [count, patches] in place of the words'. Throws
  // BundleError if the bundle has no second pass.
  std::vector<float> encode_feedback(const float* windows, const int32_t* patch_labels,
                                     int64_t count);

  // Makes the call that runs now throw Cancelled at its next stage; a frame on the GPU is one.
  void cancel();

  FrameGeometry geometry(int height, int width) const;
  const Manifest& manifest() const;
  std::string backend() const;         // engine and precision
  std::string backend_reason() const;  // why this engine
  Words words() const;                 // of the current vocabulary

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vocabseg
