// Preprocessing.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/preprocessing/cpu.h"
#include "vocabseg/error.hpp"

namespace vocabseg::kernels {
namespace {

using Bytes = std::vector<uint8_t>;

TEST(Resize, SameSizeKeepsPixels) {
  ThreadPool pool(2);
  const Bytes image{0, 10, 255, 30, 40, 50, 60, 70, 80, 90, 100, 110};
  Bytes out(image.size());
  resize_bilinear_u8({image.data(), 2, 2, 6}, out.data(), 2, 2, pool);
  EXPECT_EQ(out, image);
  resize_bicubic_antialias_u8({image.data(), 2, 2, 6}, out.data(), 2, 2, pool);
  EXPECT_EQ(out, image);
}

TEST(Resize, HalvingAverages) {
  ThreadPool pool(1);
  const Bytes image{0, 0, 0, 100, 40, 2, 20, 0, 0, 40, 40, 2};
  Bytes out(3);
  resize_bilinear_u8({image.data(), 2, 2, 6}, out.data(), 1, 1, pool);
  EXPECT_EQ(out, (Bytes{40, 20, 1}));
}

TEST(Resize, ReadsAnyStride) {
  ThreadPool pool(1);
  const Bytes rgba{1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 10, 11, 12, 0};
  Bytes out(12);
  resize_bilinear_u8({rgba.data() + 8, 2, 2, -8, 4, 4}, out.data(), 2, 2, pool);
  EXPECT_EQ(out, (Bytes{7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6}));
  EXPECT_THROW(resize_bilinear_u8({rgba.data(), 2, 2, 8}, out.data(), 0, 2, pool), ShapeError);
  EXPECT_THROW(resize_bilinear_u8({rgba.data(), 2, 2, 8, 1, 1}, out.data(), 2, 2, pool),
               ShapeError);
}

TEST(Preprocess, NormalisesAndPads) {
  ThreadPool pool(2);
  const Bytes image{10, 20, 30, 20, 40, 60};
  WindowPlan plan = single_window(1, 2, 1, 1);
  plan.padded_h = 2, plan.padded_w = 4, plan.pad_left = 1;
  const float mean[3] = {0, 10, 20}, std[3] = {10, 10, 10};
  std::vector<float> windows(3 * 2 * 4, 7);
  preprocess({image.data(), 1, 2, 6}, plan, Resize::kBilinear, mean, std, windows.data(), pool);
  EXPECT_EQ(windows, (std::vector<float>{0, 1, 2, 0, 0, 0, 0, 0,  //
                                         0, 1, 3, 0, 0, 0, 0, 0,  //
                                         0, 1, 4, 0, 0, 0, 0, 0}));
  EXPECT_THROW(
      preprocess({image.data(), 2, 1, 3}, plan, Resize::kBilinear, mean, std, windows.data(), pool),
      ShapeError);
}

}  // namespace
}  // namespace vocabseg::kernels
