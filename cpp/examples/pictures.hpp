// Reading and writing pictures: PPM/PGM (binary), and PNG where the program is built with libpng.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct Picture {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

// Throw std::runtime_error.
Picture read_picture(const std::string& path);
void write_grey(const std::string& path, const std::vector<uint8_t>& grey, int width, int height);
