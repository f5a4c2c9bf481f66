// Preprocessing and refinement.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/pamr/cpu.h"
#include "kernels/preprocessing/cpu.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr float kZero[3] = {0, 0, 0}, kOne[3] = {1, 1, 1};

// The frame resized to height x width, as planes [3, height, width].
template <class View>
std::vector<float> resized(const View& frame, int height, int width, Resize resize) {
  WindowPlan plan = single_window(height, width, 1, 1);
  plan.source_h = frame.height, plan.source_w = frame.width;
  std::vector<float> windows(size_t{3} * height * width, -1);
  ThreadPool pool(2);
  preprocess(frame, plan, resize, kZero, kOne, FloatType::kFloat32, windows.data(), pool);
  return windows;
}

TEST(Resize, SameSizeKeepsPixels) {
  const Bytes image{0, 10, 255, 30, 40, 50, 60, 70, 80, 90, 100, 110};
  const std::vector<float> planes{0, 30, 60, 90, 10, 40, 70, 100, 255, 50, 80, 110};
  for (Resize resize : {Resize::kBilinear, Resize::kBicubicAntialias}) {
    EXPECT_EQ(resized(ImageView{image.data(), 2, 2, 6}, 2, 2, resize), planes);
  }
}

TEST(Resize, HalvingAverages) {
  const Bytes image{0, 0, 0, 100, 40, 2, 20, 0, 0, 40, 40, 2};
  EXPECT_EQ(resized(ImageView{image.data(), 2, 2, 6}, 1, 1, Resize::kBilinear),
            (std::vector<float>{40, 20, 1}));
}

TEST(Resize, ReadsAnyStrideAndOrder) {
  const Bytes rgba{1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 10, 11, 12, 0};
  ImageView view{rgba.data() + 8, 2, 2, -8, 4, 4};
  EXPECT_EQ(resized(view, 2, 2, Resize::kBilinear),
            (std::vector<float>{7, 10, 1, 4, 8, 11, 2, 5, 9, 12, 3, 6}));
  view.order = ChannelOrder::kBgr;
  EXPECT_EQ(resized(view, 2, 2, Resize::kBilinear),
            (std::vector<float>{9, 12, 3, 6, 8, 11, 2, 5, 7, 10, 1, 4}));
  view.channels = 1;
  EXPECT_THROW(resized(view, 2, 2, Resize::kBilinear), ShapeError);
}

// No byte outside of a frame is read: these are of exactly the bytes that they need.
TEST(Resize, StaysInsideTheFrame) {
  for (Resize resize : {Resize::kBilinear, Resize::kBicubicAntialias}) {
    for (int width : {1, 2, 3, 5, 16, 17, 33}) {
      for (int height : {1, 2, 18}) {
        const Bytes rgb(size_t{3} * width * height, 9);
        const Bytes argb(size_t{4} * width * height - 1, 9);
        for (int target : {1, 7, 40}) {
          const std::vector<float> expected(size_t{3} * target * target, 9);
          EXPECT_EQ(
              resized(ImageView{rgb.data(), height, width, 3 * width}, target, target, resize),
              expected);
          EXPECT_EQ(
              resized(ImageView{argb.data(), height, width, 4 * width, 4}, target, target, resize),
              expected);
        }
      }
    }
  }
}

TEST(Preprocess, ConvertsNv12) {
  const Bytes frame{16, 235, 126, 16, 128, 128};
  const Nv12View view{frame.data(), frame.data() + 4, 2, 2, 2, 2};
  EXPECT_EQ(resized(view, 2, 2, Resize::kBilinear),
            (std::vector<float>{0, 255, 128, 0, 0, 255, 128, 0, 0, 255, 128, 0}));
  Nv12View odd = view;
  odd.width = 1;
  EXPECT_THROW(resized(odd, 2, 2, Resize::kBilinear), ShapeError);
}

TEST(Preprocess, NormalisesAndPads) {
  ThreadPool pool(2);
  const Bytes image{10, 20, 30, 20, 40, 60};
  WindowPlan plan = single_window(1, 2, 1, 1);
  plan.padded_h = 2, plan.padded_w = 4, plan.pad_left = 1;
  const float mean[3] = {0, 10, 20}, std[3] = {10, 10, 10};
  std::vector<float> windows(3 * 2 * 4, 7);
  const auto run = [&](const ImageView& view, FloatType type, void* to) {
    preprocess(view, plan, Resize::kBilinear, mean, std, type, to, pool);
  };
  run({image.data(), 1, 2, 6}, FloatType::kFloat32, windows.data());
  EXPECT_EQ(windows, (std::vector<float>{0, 1, 2, 0, 0, 0, 0, 0,  //
                                         0, 1, 3, 0, 0, 0, 0, 0,  //
                                         0, 1, 4, 0, 0, 0, 0, 0}));
  std::vector<uint16_t> half(3 * 2 * 4, 7);
  run({image.data(), 1, 2, 6}, FloatType::kFloat16, half.data());
  EXPECT_EQ(half, (std::vector<uint16_t>{0, 0x3c00, 0x4000, 0, 0, 0, 0, 0,  //
                                         0, 0x3c00, 0x4200, 0, 0, 0, 0, 0,  //
                                         0, 0x3c00, 0x4400, 0, 0, 0, 0, 0}));
  EXPECT_THROW(run({image.data(), 2, 1, 3}, FloatType::kFloat32, windows.data()), ShapeError);
}

TEST(Pamr, RefinesMapsTogetherAsAlone) {
  constexpr int kHeight = 45, kWidth = 37, kMaps = 11, kPixels = kHeight * kWidth;
  std::mt19937 generator(1);
  Bytes image(3 * kPixels);
  for (uint8_t& value : image) value = static_cast<uint8_t>(generator());
  std::vector<float> maps(kMaps * kPixels);
  for (float& value : maps) value = static_cast<float>(generator() % 1000) / 1000;

  std::vector<float> alone = maps;
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    Pamr pamr({image.data(), kHeight, kWidth, 3 * kWidth}, {8, 16}, pool);
    std::vector<float> together = maps;
    pamr.refine(together.data(), kMaps, 10);
    if (threads == 1) {
      for (int m = 0; m < kMaps; ++m) pamr.refine(&alone[m * kPixels], 1, 10);
    }
    EXPECT_EQ(together, alone);
    EXPECT_NE(together, maps);
    pamr.refine(together.data(), kMaps, 0);
    EXPECT_EQ(together, alone);
    EXPECT_THROW(pamr.refine(together.data(), 1, -1), ShapeError);
  }
}

TEST(Pamr, RefusesPlanesThatAreNotThere) {
  ThreadPool pool(1);
  const std::vector<float> planes(12);
  EXPECT_THROW(Pamr(planes.data(), 0, 4, {1}, pool), ShapeError);
  EXPECT_THROW(Pamr(nullptr, 2, 2, {1}, pool), ShapeError);
}

}  // namespace
}  // namespace vocabseg::kernels
