#include "cuda/pooling_stage.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include "vocabseg/error.hpp"

namespace vocabseg::cuda {
namespace {

constexpr int64_t kRowBlock = 128;          // pixels that share a count: ROW_BLOCK of the launcher
constexpr int64_t kBytes = 0, kLabels = 1;  // forms of masks

int64_t search_steps(size_t most_runs) {
  int64_t steps = 0;
  for (; most_runs > 0; most_runs >>= 1) ++steps;
  return steps;
}

int64_t count_of(const Masks& masks) {
  if (const auto* codes = std::get_if<RunLengths>(&masks.value)) {
    return static_cast<int64_t>(codes->size());
  }
  const auto* map = std::get_if<LabelMap>(&masks.value);
  return map ? map->count : std::get<BoolMasks>(masks.value).count;
}

}  // namespace

// Brings each form of masks to the device.
class PoolingStage::Placing {
 public:
  Placing(PoolingStage& stage, Launcher& launcher) : stage_(stage), launcher_(launcher) {}

  Placed operator()(const BoolMasks& masks) {
    upload(masks.data, static_cast<size_t>(masks.count * pixels()));
    return {"mask_push_rows_u8", kBytes, &stage_.rows_, &stage_.cols_};
  }

  Placed operator()(const LabelMap& masks) {
    const int32_t* largest = std::max_element(masks.data, masks.data + pixels());
    if (*largest >= masks.count) {
      throw MaskError("a label map holds " + std::to_string(*largest) + ", expected less than " +
                      std::to_string(masks.count));
    }
    upload(masks.data, static_cast<size_t>(pixels()) * sizeof(int32_t));
    return {"mask_push_rows_i32", kLabels, &stage_.rows_, &stage_.cols_};
  }

  // Codes run column by column, so the axes change places.
  Placed operator()(const RunLengths& codes) {
    auto &ends = stage_.ends_, &first = stage_.first_of_mask_;
    ends.clear();
    first.assign(1, 0);
    size_t most = 0;
    for (const auto& code : codes) {
      const auto sum = std::accumulate(code.begin(), code.end(), int64_t{0});
      if (sum != pixels()) {
        throw MaskError("run lengths sum to " + std::to_string(sum) + ", expected " +
                        std::to_string(pixels()));
      }
      int32_t end = 0;
      for (const uint32_t run : code) ends.push_back(end += static_cast<int32_t>(run));
      first.push_back(static_cast<int32_t>(ends.size()));
      most = std::max(most, code.size());
    }
    expand(search_steps(most));
    return {"mask_push_rows_u8", kBytes, &stage_.cols_, &stage_.rows_};
  }

 private:
  int64_t pixels() const { return stage_.rows_.pixels * stage_.cols_.pixels; }

  void upload(const void* data, size_t bytes) { upload(stage_.masks_, data, bytes); }
  void upload(DeviceBuffer& to, const void* data, size_t bytes) {
    to.reserve(bytes);
    launcher_.stream().upload(to.data(), data, bytes);
  }

  void expand(int64_t steps) {
    upload(stage_.run_ends_, stage_.ends_.data(), stage_.ends_.size() * sizeof(int32_t));
    upload(stage_.first_run_, stage_.first_of_mask_.data(),
           stage_.first_of_mask_.size() * sizeof(int32_t));
    stage_.masks_.reserve(static_cast<size_t>(stage_.count_ * pixels()));
    launcher_.launch("mask_expand_codes", "fp32", {},
                     {{"run_ends", stage_.run_ends_.data()},
                      {"first_run", stage_.first_run_.data()},
                      {"masks", stage_.masks_.data()},
                      {"masks_count", stage_.count_},
                      {"pixels", pixels()},
                      {"search_steps", steps}});
  }

  PoolingStage& stage_;
  Launcher& launcher_;
};

PoolingStage::PoolingStage(const Manifest& manifest, const SharedGpu& gpu)
    : dim_(manifest.embed_dim),
      rows_(gpu),
      cols_(gpu),
      run_ends_(gpu),
      first_run_(gpu),
      masks_(gpu),
      sums_(gpu),
      weights_(gpu),
      ones_(gpu),
      result_(gpu),
      read_(gpu) {}

void PoolingStage::prepare(const FramePlan& plan, const DeviceStream& stream) {
  const int64_t patches = plan.windows.patches();
  cells_ = plan.windows.windows() * patches;
  fill(rows_, plan.rows, static_cast<int64_t>(plan.windows.xs.size()) * patches,
       plan.windows.grid_w, stream);
  fill(cols_, plan.cols, patches, 1, stream);
}

void PoolingStage::fill(Axis& axis, const kernels::AxisWeights& weights, int64_t window,
                        int64_t patch, const DeviceStream& stream) {
  const SpanTable table = span_table(weights, window, patch);
  axis.patches = table.patches, axis.span = table.span, axis.pixels = weights.rows;
  stream.fill(axis.first, table.first);
  stream.fill(axis.weights, table.weights);
  stream.fill(axis.owner, table.owner);
  stream.fill(axis.at, table.at);
}

void PoolingStage::queue(const std::byte* features, const Masks& masks, Launcher& launcher) {
  count_ = count_of(masks);
  if (count_ == 0) return;
  const Placed placed = std::visit(Placing(*this, launcher), masks.value);
  push_down(placed, launcher);
  pool(features, launcher);
  read_.reserve(result_bytes());
}

void PoolingStage::download(const DeviceStream& stream) {
  if (count_ > 0) stream.download(read_.data(), result_.data(), result_bytes());
}

void PoolingStage::push_down(const Placed& masks, Launcher& launcher) {
  const Axis &rows = *masks.rows, &cols = *masks.cols;
  const int64_t lines = count_ * rows.patches;
  counters_ = rows.patches * ((cols.pixels + kRowBlock - 1) / kRowBlock);
  sums_.reserve(sizeof(float) * static_cast<size_t>(lines * cols.pixels));
  weights_.reserve(sizeof(float) * static_cast<size_t>(lines * cols.patches));
  result_.reserve(result_bytes());
  launcher.launch(masks.kernel, "fp32", {{"FORM", masks.form}, {"WEIGHTED", 0}},
                  {{"masks", masks_.data()},
                   {"pixel_weights", sums_.data()},  // not read
                   {"first", rows.first.data()},
                   {"weights", rows.weights.data()},
                   {"owner", rows.owner.data()},
                   {"sums", sums_.data()},
                   {"counts", result_.data() + pooled_bytes()},
                   {"masks_count", count_},
                   {"patches", rows.patches},
                   {"h", rows.pixels},
                   {"w", cols.pixels},
                   {"span", rows.span},
                   {"weights_stride", 0}});
  launcher.launch("mask_push_cols", "fp32", {},
                  {{"sums", sums_.data()},
                   {"first", cols.first.data()},
                   {"weights", cols.weights.data()},
                   {"row_at", rows.at.data()},
                   {"patch_at", cols.at.data()},
                   {"out", weights_.data()},
                   {"lines", lines},
                   {"rows", rows.patches},
                   {"patches", cols.patches},
                   {"w", cols.pixels},
                   {"span", cols.span}});
}

// Sums instead of means: the areas are counted by block, and added up where they are read.
void PoolingStage::pool(const std::byte* features, Launcher& launcher) {
  const auto count = static_cast<size_t>(count_);
  if (ones_.bytes() < count * sizeof(float)) {
    launcher.stream().fill(ones_, std::vector<float>(count, 1.0f));
  }
  launcher.launch("mask_pool", "fp32", {},
                  {{"weights", weights_.data()},
                   {"features", features},
                   {"sizes", ones_.data()},
                   {"pooled", result_.data()},
                   {"masks_count", count_},
                   {"cells", cells_},
                   {"d", dim_}});
}

void PoolingStage::read(RegionLabels& out) const {
  const auto* pooled = reinterpret_cast<const float*>(read_.data());
  const auto* counts = reinterpret_cast<const int32_t*>(read_.data() + pooled_bytes());
  out.features.assign(pooled, pooled + count_ * dim_);
  out.area.assign(static_cast<size_t>(count_), 0);
  for (int64_t m = 0; m < count_; ++m) {
    int64_t& area = out.area[m];
    area = std::accumulate(counts + m * counters_, counts + (m + 1) * counters_, int64_t{0});
    const float size = area > 0 ? static_cast<float>(area) : 1.0f;
    const auto row = out.features.begin() + m * dim_;
    std::for_each(row, row + dim_, [size](float& value) { value /= size; });
  }
}

size_t PoolingStage::pooled_bytes() const {
  return sizeof(float) * static_cast<size_t>(count_ * dim_);  // a multiple of 16, as dim is
}

size_t PoolingStage::result_bytes() const {
  return pooled_bytes() + sizeof(int32_t) * static_cast<size_t>(count_ * counters_);
}

}  // namespace vocabseg::cuda
