#include "cuda/window_stage.hpp"

#include <algorithm>
#include <vector>

#include "cuda/frame_tables.hpp"

namespace vocabseg::cuda {
namespace {

constexpr int kLevels = 256, kChannels = 3;
constexpr int64_t kAlignment = 16;  // of every array that a kernel reads

int64_t round_up(int64_t value) { return (value + kAlignment - 1) / kAlignment * kAlignment; }

bool aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % kAlignment == 0; }

// The height first where it falls by more than twice as many pixels as the width.
bool height_first(const kernels::WindowPlan& plan) {
  const int64_t rows = plan.source_h - plan.net_h, cols = plan.source_w - plan.net_w;
  return rows > std::max<int64_t>(0, 2 * cols);
}

// The normalised value of every level, [3, 256].
std::vector<float> normalised_levels(const Manifest& manifest) {
  std::vector<float> values;
  for (int channel = 0; channel < kChannels; ++channel) {
    for (int level = 0; level < kLevels; ++level) {
      values.push_back((static_cast<float>(level) - manifest.mean[channel]) /
                       manifest.std[channel]);
    }
  }
  return values;
}

}  // namespace

WindowStage::WindowStage(const Manifest& manifest, const SharedGpu& gpu)
    : manifest_(manifest),
      lookup_(gpu),
      row_taps_(gpu),
      col_taps_(gpu),
      ys_(gpu),
      xs_(gpu),
      rows_(gpu),
      cols_(gpu),
      source_(gpu),
      converted_(gpu),
      first_pass_(gpu),
      second_pass_(gpu),
      windows_(gpu) {}

void WindowStage::prepare(const kernels::WindowPlan& plan, const DeviceStream& stream) {
  plan_ = plan;
  stream.fill(lookup_, normalised_levels(manifest_));
  stream.fill(row_taps_, bilinear_taps(plan.source_h, plan.net_h, true));
  stream.fill(col_taps_, bilinear_taps(plan.source_w, plan.net_w, false));
  stream.fill(ys_, std::vector<int32_t>(plan.ys.begin(), plan.ys.end()));
  stream.fill(xs_, std::vector<int32_t>(plan.xs.begin(), plan.xs.end()));
  const int64_t pixels = int64_t{plan.source_h} * plan.source_w;
  source_.reserve(static_cast<size_t>(4 * pixels + kAlignment));
  converted_.reserve(static_cast<size_t>(kChannels * pixels));
  windows_.reserve(sizeof(float) * kChannels * static_cast<size_t>(plan.windows()) *
                   static_cast<size_t>(plan.padded_h) * static_cast<size_t>(plan.padded_w));
  if (manifest_.window.resize != ResizeFilter::kBicubic) return;
  const auto fill = [&](Axis& axis, int size, int length) {
    const CubicTable table = cubic_table(size, length);
    axis.taps = table.taps;
    stream.fill(axis.first, table.first);
    stream.fill(axis.weights, table.weights);
  };
  fill(rows_, plan.source_h, plan.net_h);
  fill(cols_, plan.source_w, plan.net_w);
  const int64_t between = height_first(plan) ? int64_t{plan.net_h} * plan.source_w
                                             : int64_t{plan.source_h} * plan.net_w;
  first_pass_.reserve(static_cast<size_t>(4 * between));
  second_pass_.reserve(size_t{4} * plan.net_h * plan.net_w);
}

WindowStage::Source WindowStage::upload(const FramePixels& frame, const DeviceStream& stream) {
  return frame.chroma ? nv12(frame, stream) : rgb(frame, stream);
}

void WindowStage::queue(const Source& source, Launcher& launcher) {
  Image image{source.data, source.height, source.width, source.row_stride, source.pixel_stride};
  if (source.chroma) image = converted(source, launcher);
  if (manifest_.window.resize == ResizeFilter::kBicubic) image = bicubic(image, launcher);
  cut(image, launcher);
}

// In place where the kernels can read it: the filters take no gaps between rows.
WindowStage::Source WindowStage::rgb(const FramePixels& frame, const DeviceStream& stream) {
  const int64_t row = frame.width * frame.pixel_stride;
  const bool dense = manifest_.window.resize == ResizeFilter::kBicubic;
  Source source{reinterpret_cast<const std::byte*>(frame.pixels),
                frame.height,
                frame.width,
                frame.row_stride,
                frame.pixel_stride,
                nullptr};
  const bool readable = aligned(source.data) && (!dense || frame.row_stride == row);
  if (frame.memory == Memory::kDevice && readable) return source;
  source.data = source_.data();
  source.row_stride = row;
  // The last pixel's fourth byte may be beyond the caller's memory.
  const int64_t bytes = row - frame.pixel_stride + kChannels;
  const int64_t pitch = std::max(frame.row_stride, bytes);
  stream.copy_rows(source_.data(), source.row_stride, {frame.pixels, frame.memory, pitch}, bytes,
                   frame.height);
  return source;
}

WindowStage::Source WindowStage::nv12(const FramePixels& frame, const DeviceStream& stream) {
  const int64_t height = frame.height, width = frame.width;
  const auto* luma = reinterpret_cast<const std::byte*>(frame.pixels);
  const auto* chroma = reinterpret_cast<const std::byte*>(frame.chroma);
  const bool readable =
      frame.row_stride == width && frame.chroma_stride == width && aligned(luma) && aligned(chroma);
  if (frame.memory == Memory::kDevice && readable) {
    return {luma, height, width, width, 1, chroma};
  }
  std::byte* to = source_.data();
  std::byte* to_chroma = to + round_up(height * width);
  const bool joined = frame.chroma == frame.pixels + height * frame.row_stride &&
                      frame.chroma_stride == frame.row_stride && to_chroma == to + height * width;
  stream.copy_rows(to, width, {luma, frame.memory, frame.row_stride}, width,
                   joined ? height / 2 * 3 : height);
  if (!joined) {
    stream.copy_rows(to_chroma, width, {chroma, frame.memory, frame.chroma_stride}, width,
                     height / 2);
  }
  return {to, height, width, width, 1, to_chroma};
}

WindowStage::Image WindowStage::converted(const Source& source, Launcher& launcher) {
  launcher.launch("preprocess_nv12", "fp32", {},
                  {{"luma", source.data},
                   {"chroma", source.chroma},
                   {"image", converted_.data()},
                   {"pixels", source.height * source.width},
                   {"w", source.width}});
  return {converted_.data(), source.height, source.width, kChannels * source.width, kChannels};
}

WindowStage::Image WindowStage::bicubic(const Image& image, Launcher& launcher) {
  const int first = height_first(plan_) ? 0 : 1;
  const Image between = filtered(image, first, first_pass_, launcher);
  return filtered(between, 1 - first, second_pass_, launcher);
}

WindowStage::Image WindowStage::filtered(const Image& image, int axis, DeviceBuffer& to,
                                         Launcher& launcher) {
  const bool vertical = axis == 0;
  const Axis& filters = vertical ? rows_ : cols_;
  const int64_t size = vertical ? image.height : image.width;
  const int64_t length = vertical ? plan_.net_h : plan_.net_w;
  const int64_t height = vertical ? length : image.height, width = vertical ? image.width : length;
  const int64_t stride = image.pixel_stride;
  launcher.launch("preprocess_filter", "fp32", {},
                  {{"source", image.data},
                   {"first", filters.first.data()},
                   {"weights", filters.weights.data()},
                   {"filtered", to.data()},
                   {"values", height * width * stride},
                   {"size", size},
                   {"length", length},
                   {"inner", vertical ? stride * width : stride},
                   {"taps", filters.taps}});
  return {to.data(), height, width, width * stride, stride};
}

void WindowStage::cut(const Image& image, Launcher& launcher) {
  const bool bilinear = manifest_.window.resize == ResizeFilter::kBilinear;
  launcher.launch("preprocess_windows", "fp32", {{"BILINEAR", bilinear ? 1 : 0}},
                  {{"image", image.data},
                   {"row_taps", row_taps_.data()},
                   {"col_taps", col_taps_.data()},
                   {"ys", ys_.data()},
                   {"xs", xs_.data()},
                   {"lookup", lookup_.data()},
                   {"out", windows_.data()},
                   {"windows", plan_.windows()},
                   {"across", static_cast<int64_t>(plan_.xs.size())},
                   {"image_pixels", image.height * image.width},
                   {"net_h", plan_.net_h},
                   {"net_w", plan_.net_w},
                   {"window_h", plan_.window_h},
                   {"window_w", plan_.window_w},
                   {"padded_pixels", int64_t{plan_.padded_h} * plan_.padded_w},
                   {"padded_w", plan_.padded_w},
                   {"pad_top", plan_.pad_top},
                   {"pad_left", plan_.pad_left},
                   {"row_stride", image.row_stride},
                   {"pixel_stride", image.pixel_stride},
                   {"channel_stride", 1}});
}

}  // namespace vocabseg::cuda
