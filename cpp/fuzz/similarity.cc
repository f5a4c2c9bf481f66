#include "kernels/correlative_attention/cpu.h"
#include "kernels/patch_text_similarity/cpu.h"
#include "targets.hpp"

namespace vocabseg::fuzz {

Output patch_text_similarity(Bytes& input, kernels::ThreadPool& pool) {
  const kernels::FloatType type = float_type(input);
  const int64_t windows = input.length(3), n = input.length(70), d = input.length(70);
  const int64_t queries = input.length(40), width = input.chance(8) ? d + 1 : d;
  const FloatArray features(input, type, windows * n * d);
  const std::vector<float> text = input.floats(queries * width);
  const auto packed =
      kernels::PackedMatrix::pack_transposed(text.data(), width, width, queries, pool);
  const kernels::Patches patches{features.data(), type, windows, n, d};
  const bool normalize = input.chance(128);
  const int64_t count = input.length(12);
  const std::vector<int32_t> of_query =
      input.integers(queries, input.chance(8) ? -1 : 0, count - 1);
  const kernels::QueryClasses classes{of_query.data(), count};
  Output output;
  if (input.chance(96)) {
    std::vector<float> out(windows * queries * n);
    kernels::patch_text_similarity(patches, packed, normalize, out.data(), pool);
    output.add(out);
  } else if (input.chance(128)) {
    std::vector<float> out(windows * count * n);
    kernels::class_similarity(patches, packed, normalize, classes, out.data(), pool);
    output.add(out);
  } else {
    const bool by_class = input.chance(128);
    std::vector<int32_t> label(windows * n);
    std::vector<float> score(windows * n), margin(windows * n);
    kernels::top_classes(patches, packed, normalize, by_class ? &classes : nullptr,
                         {label.data(), score.data(), margin.data()}, pool);
    for (const int32_t each : label) {
      expect(each >= -1 && each < (by_class ? count : queries), "a label is none of the classes");
    }
    output.add(label);
    output.add(score);
    output.add(margin);
  }
  return output;
}

Output correlative_attention(Bytes& input, kernels::ThreadPool& pool) {
  using kernels::TokenArray;
  const kernels::FloatType type = float_type(input);
  kernels::GaussianBias gaussian;
  if (input.chance(96)) {
    gaussian = {input.one_of({5.0f, 0.5f, 1e-3f, 1e6f, 0.0f}), input.integer(1, 6),
                input.integer(1, 6)};
  }
  const int64_t patches = gaussian.h * gaussian.w;
  const kernels::AttentionShape shape{
      input.length(2), input.length(3),
      gaussian.h > 0 && input.chance(240) ? patches + input.integer(0, 1) : input.length(50),
      input.length(40)};
  const int64_t n = shape.tokens, d = shape.d, size = shape.batch * shape.heads * n * d;
  const FloatArray q(input, type, size), k(input, type, size), v(input, type, size);
  // [batch, heads, tokens, d] or [batch, tokens, heads, d]
  const auto view = [&, interleaved = input.chance(128)](const FloatArray& array) {
    return interleaved ? TokenArray{array.data(), n * shape.heads * d, d, shape.heads * d}
                       : TokenArray{array.data(), shape.heads * n * d, n * d, d};
  };
  kernels::AttentionOptions options;
  for (int64_t terms = input.integer(0, 4) % 4; terms >= 0; --terms) {
    options.terms.push_back({static_cast<kernels::TokenKind>(input.integer(0, 2)),
                             static_cast<kernels::TokenKind>(input.integer(0, 2))});
  }
  if (input.chance(4)) options.terms.clear();
  options.mean = input.chance(128);
  options.scale = input.one_of({1.0f, 0.125f, 0.0f, -1.0f, 1e30f});
  options.gaussian = gaussian;
  const bool of_heads = input.chance(128), of_rows = input.chance(192);
  const std::vector<float> bias =
      input.floats((of_heads ? shape.heads : 1) * (of_rows ? n : 1) * n);
  if (input.chance(96)) {
    const int64_t row = of_rows ? n : 0;
    options.bias = {bias.data(), 0, of_heads ? (of_rows ? n * n : n) : 0, row};
  }
  std::vector<uint8_t> out(size * kernels::size_of(type));
  kernels::correlative_attention(view(q), view(k), view(v), type, shape, options, out.data(), pool);
  Output output;
  output.add(out);
  return output;
}

}  // namespace vocabseg::fuzz
