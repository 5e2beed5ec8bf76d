// SPDX-License-Identifier: MIT
#include "formats/safetensors_writer.h"

#include <bitnet/error.h>

#include <utility>

#include "base/message.h"
#include "formats/safetensors.h"

namespace bitnet {

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     std::vector<TensorDeclaration> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : file_(path), tensors_(std::move(tensors)) {
  file_.append(safetensors_header(tensors_, metadata));
  offsets_.push_back(file_.offset());
  for (const TensorDeclaration& tensor : tensors_) {
    offsets_.push_back(offsets_.back() + declared_size(tensor));
  }
}

void SafetensorsWriter::append(std::span<const std::byte> bytes) {
  if (bytes.size() > offsets_.back() - file_.offset()) {
    throw InvalidArgument(message("safetensors: expected at most ",
                                  offsets_.back() - file_.offset(), " more bytes, found ",
                                  bytes.size()));
  }
  file_.append(bytes);
}

void SafetensorsWriter::overwrite(std::size_t tensor_index, std::span<const std::byte> bytes) {
  const std::uint64_t begin = offsets_.at(tensor_index);
  const std::uint64_t end = offsets_.at(tensor_index + 1);
  if (end > file_.offset() || bytes.size() != end - begin) {
    throw InvalidArgument(message("safetensors tensor '", tensors_[tensor_index].name,
                                  "': expected ", end - begin, " written bytes to replace, found ",
                                  bytes.size()));
  }
  file_.overwrite(begin, bytes);
}

void SafetensorsWriter::commit() {
  if (file_.offset() != offsets_.back()) {
    throw InvalidArgument(message("safetensors: ", offsets_.back() - file_.offset(),
                                  " bytes of tensors are missing"));
  }
  file_.commit();
}

}  // namespace bitnet
