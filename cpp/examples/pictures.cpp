#include "pictures.hpp"

#include <cctype>
#include <fstream>
#include <iterator>
#include <stdexcept>

#ifdef HAS_PNG
#include <png.h>
#endif

namespace {

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

// The next number of a PPM header; "#" starts a comment.
int read_number(std::istream& in) {
  while (std::isspace(in.peek()) || in.peek() == '#') {
    if (in.get() == '#') {
      std::string comment;
      std::getline(in, comment);
    }
  }
  int value = 0;
  in >> value;
  return value;
}

Picture read_ppm(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string magic(2, ' ');
  in.read(magic.data(), 2);
  Picture picture;
  picture.width = read_number(in);
  picture.height = read_number(in);
  const int largest = read_number(in);
  in.get();  // the one white space before the pixels
  const bool grey = magic == "P5";
  if (!in || (!grey && magic != "P6") || largest != 255 || picture.width < 1 ||
      picture.height < 1 || picture.width > 32768 || picture.height > 32768) {
    throw std::runtime_error(path + " is not a binary PPM or PGM of 8 bits");
  }
  const size_t pixels = static_cast<size_t>(picture.width) * picture.height;
  std::vector<uint8_t> data(pixels * (grey ? 1 : 3));
  in.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(data.size()));
  if (!in) throw std::runtime_error(path + " ends before its last pixel");
  if (!grey) {
    picture.rgb = std::move(data);
    return picture;
  }
  for (const uint8_t value : data) picture.rgb.insert(picture.rgb.end(), 3, value);
  return picture;
}

#ifdef HAS_PNG
Picture read_png(const std::string& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_file(&image, path.c_str())) {
    throw std::runtime_error(path + ": " + image.message);
  }
  image.format = PNG_FORMAT_RGB;
  Picture picture;
  picture.width = static_cast<int>(image.width);
  picture.height = static_cast<int>(image.height);
  picture.rgb.resize(PNG_IMAGE_SIZE(image));
  if (!png_image_finish_read(&image, nullptr, picture.rgb.data(), 0, nullptr)) {
    throw std::runtime_error(path + ": " + image.message);
  }
  return picture;
}

void write_png(const std::string& path, const std::vector<uint8_t>& grey, int width, int height) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = PNG_FORMAT_GRAY;
  if (!png_image_write_to_file(&image, path.c_str(), 0, grey.data(), 0, nullptr)) {
    throw std::runtime_error(path + ": " + image.message);
  }
}
#endif

}  // namespace

Picture read_picture(const std::string& path) {
  if (!ends_with(path, ".png")) return read_ppm(path);
#ifdef HAS_PNG
  return read_png(path);
#else
  throw std::runtime_error("built without libpng; give a PPM, or: sudo apt-get install libpng-dev");
#endif
}

void write_grey(const std::string& path, const std::vector<uint8_t>& grey, int width, int height) {
#ifdef HAS_PNG
  if (ends_with(path, ".png")) return write_png(path, grey, width, height);
#endif
  if (!ends_with(path, ".pgm")) throw std::runtime_error(path + " must end with .pgm or .png");
  std::ofstream out(path, std::ios::binary);
  out << "P5\n" << width << ' ' << height << "\n255\n";
  out.write(reinterpret_cast<const char*>(grey.data()), static_cast<std::streamsize>(grey.size()));
  if (!out) throw std::runtime_error("cannot write " + path);
}
