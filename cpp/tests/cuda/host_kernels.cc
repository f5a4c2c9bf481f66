#include "cuda/host_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vocabseg::cuda {
namespace {

using A = LaunchArguments;

void nv12(const A& a) {
  const auto *luma = a.pointer<uint8_t>("luma"), *chroma = a.pointer<uint8_t>("chroma");
  auto* image = a.pointer<uint8_t>("image");
  const int64_t w = a.integer("w"), pixels = a.integer("pixels");
  for (int64_t i = 0; i < pixels; ++i) {
    const uint8_t* pair = chroma + i / w / 2 * w + i % w / 2 * 2;
    const int y = std::max(luma[i] - 16, 0) * 1220542 + (1 << 19), u = pair[0] - 128,
              v = pair[1] - 128;
    const int sums[] = {y + 1673527 * v, y - 852492 * v - 409993 * u, y + 2116026 * u};
    for (int c = 0; c < 3; ++c) {
      image[3 * i + c] = static_cast<uint8_t>(std::clamp(sums[c] >> 20, 0, 255));
    }
  }
}

void filter(const A& a) {
  const auto* source = a.pointer<uint8_t>("source");
  const auto *first = a.pointer<int32_t>("first"), *weights = a.pointer<int32_t>("weights");
  auto* filtered = a.pointer<uint8_t>("filtered");
  const int64_t size = a.integer("size"), length = a.integer("length"), inner = a.integer("inner");
  const int64_t values = a.integer("values"), taps = a.integer("taps");
  for (int64_t at = 0; at < values; ++at) {
    const int64_t outer = at / inner / length, i = at / inner % length, j = at % inner;
    int32_t total = 1 << 21;
    for (int64_t tap = 0; tap < taps; ++tap) {
      if (first[i] + tap >= size) break;
      total += weights[tap * length + i] * source[(outer * size + first[i] + tap) * inner + j];
    }
    filtered[at] = static_cast<uint8_t>(std::clamp(total >> 22, 0, 255));
  }
}

// Pixels of the resized frame.
struct Resized {
  explicit Resized(const A& a)
      : image(a.pointer<uint8_t>("image")),
        rows(a.pointer<int32_t>("row_taps")),
        cols(a.pointer<int32_t>("col_taps")),
        h(a.integer("net_h")),
        w(a.integer("net_w")),
        row(a.integer("row_stride")),
        pixel(a.integer("pixel_stride")),
        channel(a.integer("channel_stride")),
        bilinear(a.constant("BILINEAR") == 1) {}

  int at(int64_t y, int64_t x, int64_t c) const {
    const uint8_t* plane = image + c * channel;
    if (!bilinear) return plane[y * row + x * pixel];
    const auto line = [&](int64_t from) {
      return (plane[from * row + cols[x] * pixel] * cols[2 * w + x] +
              plane[from * row + cols[w + x] * pixel] * cols[3 * w + x]) >>
             4;
    };
    return (((rows[2 * h + y] * line(rows[y])) >> 16) +
            ((rows[3 * h + y] * line(rows[h + y])) >> 16) + 2) >>
           2;
  }

  const uint8_t* image;
  const int32_t *rows, *cols;
  int64_t h, w, row, pixel, channel;
  bool bilinear;
};

void windows(const A& a) {
  const Resized resized(a);
  const auto *ys = a.pointer<int32_t>("ys"), *xs = a.pointer<int32_t>("xs");
  const auto* lookup = a.pointer<float>("lookup");
  auto* out = a.pointer<float>("out");
  const int64_t pixels = a.integer("padded_pixels"), width = a.integer("padded_w");
  const int64_t top = a.integer("pad_top"), left = a.integer("pad_left");
  const int64_t h = a.integer("window_h"), w = a.integer("window_w");
  const int64_t values = a.integer("windows") * 3 * pixels, across = a.integer("across");
  for (int64_t i = 0; i < values; ++i) {
    const int64_t window = i / pixels / 3, channel = i / pixels % 3, pixel = i % pixels;
    const int64_t y = pixel / width - top, x = pixel % width - left;
    const bool inside = y >= 0 && y < h && x >= 0 && x < w;
    const int64_t at_y = y + ys[window / across], at_x = x + xs[window % across];
    out[i] = inside ? lookup[channel * 256 + resized.at(at_y, at_x, channel)] : 0.0f;
  }
}

void similarity(const A& a) {
  const auto *features = a.pointer<float>("features"), *text = a.pointer<float>("text");
  auto* scores = a.pointer<float>("scores");
  const int64_t n = a.integer("n"), q = a.integer("q"), d = a.integer("d");
  const int64_t values = a.integer("batch") * q * n;
  for (int64_t i = 0; i < values; ++i) {
    const float* feature = features + (i / n / q * n + i % n) * d;
    const float* row = text + i / n % q * d;
    float total = 0;
    for (int64_t k = 0; k < d; ++k) total += feature[k] * row[k];
    scores[i] = total;
  }
}

struct UpSampled {
  explicit UpSampled(const A& a)
      : scores(a.pointer<float>("scores")),
        row_at(a.pointer<int64_t>("row_offset")),
        col_at(a.pointer<int64_t>("col_offset")),
        rows(a.pointer<float>("row_weight")),
        cols(a.pointer<float>("col_weight")),
        h(a.integer("h")),
        w(a.integer("w")),
        row_taps(a.integer("row_taps")),
        col_taps(a.integer("col_taps")),
        patches(a.integer("patches")) {}

  float at(int64_t query, int64_t pixel) const {
    const int64_t y = pixel / w, x = pixel % w;
    float total = 0;
    for (int64_t i = 0; i < row_taps; ++i) {
      for (int64_t j = 0; j < col_taps; ++j) {
        const float weight = rows[i * h + y] * cols[j * w + x];
        if (weight == 0) continue;
        total += weight * scores[query * patches + row_at[i * h + y] + col_at[j * w + x]];
      }
    }
    return total;
  }

  const float* scores;
  const int64_t *row_at, *col_at;
  const float *rows, *cols;
  int64_t h, w, row_taps, col_taps, patches;
};

template <class Label>
void decode(const A& a) {
  const UpSampled scores(a);
  const auto *order = a.pointer<int32_t>("order"), *label_of = a.pointer<int32_t>("label_of");
  auto* labels = a.pointer<Label>("labels");
  auto* probabilities = a.pointer<float>("probabilities");
  const int64_t q = a.integer("q"), pixels = a.integer("pixels");
  const bool wanted = a.constant("PROBABILITY") == 1;
  const float scale = a.real("logit_scale"), threshold = a.real("threshold");
  std::vector<float> values(static_cast<size_t>(q));
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    for (int64_t at = 0; at < q; ++at) values[at] = scores.at(order[at], pixel);
    const auto best = std::max_element(values.begin(), values.end());
    auto label = static_cast<Label>(label_of[best - values.begin()]);
    if (wanted) {
      float total = 0;
      for (const float value : values) total += std::exp(scale * (value - *best));
      probabilities[pixel] = 1 / total;
      if (1 / total < threshold) label = static_cast<Label>(a.integer("unlabeled"));
    }
    labels[pixel] = label;
  }
}

}  // namespace

nlohmann::json LaunchArguments::numbers() const {
  nlohmann::json out = nlohmann::json::object();
  for (const auto& argument : entry_["arguments"]) {
    const auto name = argument["name"].get<std::string>();
    if (argument["type"] == "i32") out[name] = integer(name.c_str());
    if (argument["type"] == "f32") out[name] = real(name.c_str());
  }
  return out;
}

void run_on_host(const std::string& kernel, const LaunchArguments& arguments) {
  if (kernel == "preprocess_nv12") return nv12(arguments);
  if (kernel == "preprocess_filter") return filter(arguments);
  if (kernel == "preprocess_windows") return windows(arguments);
  if (kernel == "patch_text_similarity") return similarity(arguments);
  if (kernel == "decode_labels_u8") return decode<uint8_t>(arguments);
  if (kernel == "decode_labels_u16") return decode<uint16_t>(arguments);
  if (!run_pooling_on_host(kernel, arguments)) throw std::out_of_range(kernel);
}

}  // namespace vocabseg::cuda
