#include "vocabseg/text_encoder.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine_batches.hpp"
#include "vocabseg/error.hpp"
#include "vocabseg/tokenizer.hpp"

namespace vocabseg {
namespace {

constexpr int64_t kBatch = 64;  // prompts per run: bounds the memory of the network

Tokenizer open_tokenizer(const Bundle& bundle) {
  const Manifest& manifest = bundle.manifest();
  if (!manifest.text_encoder || !manifest.tokenizer) {
    throw VocabularyError("bundle \"" + manifest.name +
                          "\" has no text tower; load a stored vocabulary (.safetensors) made with "
                          "`vocabseg vocab build`");
  }
  Tokenizer tokenizer(bundle.file(manifest.tokenizer->merges), manifest.tokenizer->context_length);
  if (tokenizer.vocab_size() != manifest.tokenizer->vocab_size) {
    throw BundleError("the merges make a vocabulary of " + std::to_string(tokenizer.vocab_size()) +
                      ", the manifest says " + std::to_string(manifest.tokenizer->vocab_size) +
                      "; export the bundle again with `vocabseg export`");
  }
  return tokenizer;
}

std::unique_ptr<Engine> open_engine(const Bundle& bundle, const Settings& settings) {
  if (!bundle.manifest().text_encoder) return nullptr;  // open_tokenizer says so
  return make_engine(bundle, "text", settings);
}

void normalize(float* row, size_t dim) {
  double square = 0;
  for (size_t i = 0; i < dim; ++i) square += double{row[i]} * row[i];
  const double scale = 1 / std::max(std::sqrt(square), 1e-12);
  for (size_t i = 0; i < dim; ++i) row[i] = static_cast<float>(row[i] * scale);
}

std::string fill(const std::string& sentence, const std::string& word) {
  std::string prompt = sentence;
  const size_t slot = prompt.find("{}");
  if (slot == std::string::npos) {
    throw VocabularyError("template \"" + sentence + "\" has no {} for the word");
  }
  return prompt.replace(slot, 2, word);
}

}  // namespace

struct TextEncoder::Impl {
  Tokenizer tokenizer;
  std::unique_ptr<Engine> engine;
  EncoderSpec spec;
  int dim;

  void run(const std::string* prompts, size_t count, float* rows) const {
    const int length = tokenizer.context_length();
    std::vector<int64_t> tokens;
    for (size_t i = 0; i < count; ++i) {
      const std::vector<int64_t> row = tokenizer.encode_row(prompts[i]);
      tokens.insert(tokens.end(), row.begin(), row.end());
    }
    const auto n = static_cast<int64_t>(count);
    engine->run({{spec.input, {DType::kInt64, {n, length}, tokens.data()}}},
                {{spec.output, {DType::kFloat32, {n, dim}, rows}}}, nullptr);
  }
};

TextEncoder TextEncoder::for_words(const Bundle& bundle, Settings settings) {
  const bool tensorrt = choose_backend(bundle, "text", settings).id == "tensorrt";
  settings.precision = tensorrt ? "auto" : "float32";
  return TextEncoder(bundle, settings);
}

TextEncoder::TextEncoder(const Bundle& bundle, const Settings& settings)
    : TextEncoder(bundle, open_engine(bundle, settings)) {}

TextEncoder::TextEncoder(const Bundle& bundle, std::unique_ptr<Engine> engine)
    : impl_(new Impl{open_tokenizer(bundle), std::move(engine), *bundle.manifest().text_encoder,
                     bundle.manifest().embed_dim}) {}

TextEncoder::~TextEncoder() = default;
TextEncoder::TextEncoder(TextEncoder&&) noexcept = default;
TextEncoder& TextEncoder::operator=(TextEncoder&&) noexcept = default;

std::vector<float> TextEncoder::encode(const std::vector<std::string>& prompts) const {
  const auto width = static_cast<size_t>(impl_->dim);
  std::vector<float> rows(prompts.size() * width);
  in_batches(*impl_->engine, static_cast<int64_t>(prompts.size()), kBatch,
             [&](int64_t first, int64_t count) {
               const auto begin = static_cast<size_t>(first);
               impl_->run(prompts.data() + begin, static_cast<size_t>(count),
                          rows.data() + begin * width);
             });
  for (size_t i = 0; i < prompts.size(); ++i) normalize(rows.data() + i * width, width);
  return rows;
}

int TextEncoder::dim() const { return impl_->dim; }
std::string TextEncoder::backend() const { return impl_->engine->id(); }

std::vector<float> embed_words(const TextEncoder& encoder, const std::vector<std::string>& words,
                               const std::vector<std::string>& templates) {
  const auto dim = static_cast<size_t>(encoder.dim());
  std::vector<float> rows(words.size() * dim, 0.0f);
  for (size_t w = 0; w < words.size(); ++w) {
    std::vector<std::string> prompts;
    for (const std::string& sentence : templates) prompts.push_back(fill(sentence, words[w]));
    const std::vector<float> encoded = encoder.encode(prompts);
    std::vector<double> sum(dim, 0.0);
    for (size_t i = 0; i < encoded.size(); ++i) sum[i % dim] += encoded[i];
    std::copy(sum.begin(), sum.end(), rows.begin() + static_cast<std::ptrdiff_t>(w * dim));
    normalize(rows.data() + w * dim, dim);
  }
  return rows;
}

}  // namespace vocabseg
