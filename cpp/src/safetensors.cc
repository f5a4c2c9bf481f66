#include "safetensors.hpp"

#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "vocabseg/error.hpp"

namespace vocabseg {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr size_t kMaxHeader = 100'000'000;
const std::map<std::string, size_t> kItemSize = {
    {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"I32", 4}, {"I16", 2},
    {"I8", 1},  {"U64", 8}, {"U32", 4}, {"U16", 2},  {"U8", 1},  {"BOOL", 1}};

// Bytes of a tensor, or -1 where the product overflows or a length is negative.
int64_t byte_count(const std::vector<int64_t>& shape, size_t item) {
  auto bytes = static_cast<int64_t>(item);
  for (const int64_t length : shape) {
    if (length < 0 || (length > 0 && bytes > std::numeric_limits<int64_t>::max() / length)) {
      return -1;
    }
    bytes *= length;
  }
  return bytes;
}

template <class T>
std::vector<T> copy_values(const std::string& data, size_t begin, size_t end) {
  std::vector<T> values((end - begin) / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), data.data() + begin, end - begin);
  return values;
}

}  // namespace

void SafetensorsFile::fail(const std::string& what) const {
  throw VocabularyError(path_.string() + " is not a valid .safetensors file: " + what);
}

SafetensorsFile SafetensorsFile::read(const std::filesystem::path& path) {
  SafetensorsFile file;
  file.path_ = path;
  std::ifstream stream(path, std::ios::binary);
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (!stream || error) throw VocabularyError("cannot read " + path.string());
  if (size < kLengthBytes) file.fail(std::to_string(size) + " bytes, too short for a header");
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<uint64_t>(static_cast<unsigned char>(stream.get())) << (8 * i);
  }
  if (length > kMaxHeader || length > size - kLengthBytes) {
    file.fail("a header of " + std::to_string(length) + " bytes in a file of " +
              std::to_string(size));
  }
  std::string header(length, '\0');
  stream.read(header.data(), static_cast<std::streamsize>(header.size()));
  file.data_.resize(size - kLengthBytes - length);
  stream.read(file.data_.data(), static_cast<std::streamsize>(file.data_.size()));
  if (!stream) throw VocabularyError("cannot read " + path.string() + " to its end");
  try {
    file.parse_header(header);
  } catch (const json::exception& cause) {
    file.fail(cause.what());
  }
  return file;
}

void SafetensorsFile::parse_header(const std::string& text) {
  const json header = json::parse(text);
  if (!header.is_object()) fail("the header is not a JSON object");
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      metadata_ = entry.get<std::map<std::string, std::string>>();
      continue;
    }
    Tensor tensor{entry.at("dtype").get<std::string>(),
                  entry.at("shape").get<std::vector<int64_t>>(), 0, 0};
    const auto begin = entry.at("data_offsets").at(0).get<int64_t>();
    const auto end = entry.at("data_offsets").at(1).get<int64_t>();
    const auto item = kItemSize.find(tensor.dtype);
    if (item == kItemSize.end()) fail("tensor \"" + name + "\" has dtype " + tensor.dtype);
    if (begin < 0 || end < begin || static_cast<uint64_t>(end) > data_.size() ||
        byte_count(tensor.shape, item->second) != end - begin) {
      fail("tensor \"" + name + "\" does not fit its data");
    }
    tensor.begin = static_cast<size_t>(begin);
    tensor.end = static_cast<size_t>(end);
    tensors_.emplace(name, std::move(tensor));
  }
}

const SafetensorsFile::Tensor& SafetensorsFile::tensor(const std::string& name) const {
  const auto it = tensors_.find(name);
  if (it == tensors_.end()) fail("it has no tensor \"" + name + "\"");
  return it->second;
}

std::pair<std::vector<int64_t>, std::vector<float>> SafetensorsFile::floats(
    const std::string& name) const {
  const Tensor& found = tensor(name);
  if (found.dtype != "F32") fail("tensor \"" + name + "\" is " + found.dtype + ", expected F32");
  return {found.shape, copy_values<float>(data_, found.begin, found.end)};
}

std::vector<int64_t> SafetensorsFile::integers(const std::string& name) const {
  const Tensor& found = tensor(name);
  if (found.dtype == "I64") return copy_values<int64_t>(data_, found.begin, found.end);
  if (found.dtype != "I32") fail("tensor \"" + name + "\" is " + found.dtype + ", expected I64");
  const std::vector<int32_t> narrow = copy_values<int32_t>(data_, found.begin, found.end);
  return {narrow.begin(), narrow.end()};
}

std::string SafetensorsFile::metadata(const std::string& key) const {
  const auto it = metadata_.find(key);
  return it == metadata_.end() ? "" : it->second;
}

}  // namespace vocabseg
