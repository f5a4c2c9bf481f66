// A reader of .safetensors files: 8 bytes of header length, a JSON header, raw little-endian data.
// Nothing of the header is believed before it is checked against the size of the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace vocabseg {

class SafetensorsFile {
 public:
  // Throws VocabularyError if the file cannot be read or its header does not fit its data.
  static SafetensorsFile read(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }

  // Shape and values of an F32 tensor, and values of an I64 or I32 tensor. Throw VocabularyError if
  // there is no such tensor.
  std::pair<std::vector<int64_t>, std::vector<float>> floats(const std::string& name) const;
  std::vector<int64_t> integers(const std::string& name) const;

  // A string of the header's metadata, "" if it is not there.
  std::string metadata(const std::string& key) const;

 private:
  struct Tensor {
    std::string dtype;
    std::vector<int64_t> shape;
    size_t begin, end;  // in data_
  };

  const Tensor& tensor(const std::string& name) const;
  [[noreturn]] void fail(const std::string& what) const;
  void parse_header(const std::string& json);

  std::filesystem::path path_;
  std::string data_;
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace vocabseg
