// Resizes of a frame, a few rows at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/preprocessing/frame_rows.h"

namespace vocabseg::kernels {

class Resizer {
 public:
  // `row`: the three channels as uint8 [3, pitch], in the frame's order.
  using Sink = std::function<void(int y, const uint8_t* row)>;

  virtual ~Resizer() = default;
  // Hands over the rows [begin, end) of the resized frame in rising order. Threads may share a
  // resizer.
  virtual void run(int begin, int end, const Sink& sink) const = 0;

  int pitch() const { return pitch_; }

 protected:
  explicit Resizer(int width) : pitch_((width + kPad - 1) / kPad * kPad) {}

  static constexpr int kPad = 64;  // bodies write whole vectors of bytes
  int pitch_;
};

// OpenCV's INTER_LINEAR and Pillow's BICUBIC on uint8, to h x w. The frame must outlive them.
std::unique_ptr<Resizer> bilinear_resizer(const Frame& frame, int h, int w);
std::unique_ptr<Resizer> bicubic_resizer(const Frame& frame, int h, int w);

}  // namespace vocabseg::kernels
