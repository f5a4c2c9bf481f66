// Segments a picture with words, without Python:
//   segment BUNDLE PICTURE OUTPUT "road" "car, truck, van" "background: sky"
// PICTURE is a .ppm or .png; OUTPUT, a .pgm or .png, holds the class of each pixel (255:
// unlabelled).
#include <array>
#include <cstdio>
#include <exception>
#include <string>
#include <variant>
#include <vector>

#include "pictures.hpp"
#include "vocabseg/vocabseg.hpp"

namespace {

struct Row {
  size_t pixels = 0;
  double score = 0;  // sum over the pixels
};

void print_row(const std::string& name, const Row& row, size_t total) {
  const double share = 100.0 * static_cast<double>(row.pixels) / static_cast<double>(total);
  if (row.pixels == 0) return;
  std::printf("%-24s %6.1f %%  %10.3f\n", name.c_str(), share,
              row.score / static_cast<double>(row.pixels));
}

void print_table(const std::vector<uint8_t>& labels, const std::vector<float>& scores,
                 const std::vector<std::string>& names) {
  std::array<Row, 256> rows;
  for (size_t i = 0; i < labels.size(); ++i) {
    ++rows[labels[i]].pixels;
    rows[labels[i]].score += scores[i];
  }
  std::printf("%-24s %8s  %10s\n", "class", "pixels", "mean score");
  for (size_t i = 0; i < names.size(); ++i) print_row(names[i], rows[i], labels.size());
  print_row("unlabelled", rows[255], labels.size());
}

void run(const std::string& folder, const std::string& input, const std::string& output,
         const std::vector<std::string>& words) {
  if (words.size() > 255) throw vocabseg::VocabularyError("this program takes at most 255 classes");
  vocabseg::Segmenter segmenter(vocabseg::Bundle::open(folder));
  segmenter.set_vocabulary(words);
  const Picture picture = read_picture(input);
  vocabseg::SegmentOptions options;
  options.scores = true;
  const vocabseg::Segmentation result =
      segmenter.segment({picture.rgb.data(), picture.width, picture.height}, options);
  const auto& labels = std::get<std::vector<uint8_t>>(result.labels);
  write_grey(output, labels, result.width, result.height);
  print_table(labels, result.scores, segmenter.words().names);
  std::printf("%s:", result.backend.c_str());
  for (const auto& [stage, milliseconds] : result.timing) {
    std::printf(" %s %.1f ms", stage.c_str(), milliseconds);
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: %s BUNDLE PICTURE.ppm|png OUTPUT.pgm|png WORDS...\n", argv[0]);
    return 2;
  }
  try {
    run(argv[1], argv[2], argv[3], {argv + 4, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
