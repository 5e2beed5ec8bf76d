// SPDX-License-Identifier: MIT
#include <bitnet/checkpoint.h>
#include <bitnet/error.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "base/mapped_file.h"
#include "base/message.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_split.h"
#include "formats/gguf_types.h"
#include "formats/safetensors.h"

namespace bitnet {

struct Checkpoint::Contents {
  Format format = Format::safetensors;
  std::filesystem::path path;
  std::vector<MappedFile> files;
  std::vector<StoredTensor> tensors;
  std::map<std::string, MetadataValue> metadata;
  std::string config_json;
  std::vector<std::string> warnings;
  std::unordered_map<std::string_view, std::size_t> index_of_name;  // keys lie in `tensors`

  /// Calls `advise` with the range of the file that maps these bytes.
  void for_mapped(std::span<const std::byte> bytes,
                  void (MappedFile::*advise)(std::size_t, std::size_t) const) const {
    for (const MappedFile& file : files) {
      const std::byte* const begin = file.bytes().data();
      const std::byte* const end = begin + file.bytes().size();
      if (!std::less<>{}(bytes.data(), begin) && std::less<>{}(bytes.data(), end)) {
        (file.*advise)(static_cast<std::size_t>(bytes.data() - begin), bytes.size());
      }
    }
  }
};

namespace {

using Contents = Checkpoint::Contents;

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxIndexBytes = 100'000'000;

/// Whether it can be found; opening it tells why not.
bool is_present(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

/// A text file beside the tensors; empty when there is none.
std::string read_text(const std::filesystem::path& path, std::size_t max_bytes) {
  if (!is_present(path)) {
    return "";
  }
  const MappedFile file(path);
  const auto bytes = file.bytes();
  if (bytes.size() > max_bytes) {
    throw FormatError(
        message(path.string(), ": expected at most ", max_bytes, " bytes, found ", bytes.size()));
  }
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool starts_with(std::span<const std::byte> bytes, std::string_view text) {
  return bytes.size() >= text.size() &&
         std::equal(text.begin(), text.end(), reinterpret_cast<const char*>(bytes.data()));
}

/// Adds the tensors and metadata of one safetensors file; earlier metadata wins.
void add_safetensors(Contents& contents, const std::filesystem::path& path, MappedFile file) {
  SafetensorsContents parsed = parse_safetensors(file.bytes(), path);
  std::move(parsed.tensors.begin(), parsed.tensors.end(), std::back_inserter(contents.tensors));
  contents.metadata.insert(parsed.metadata.begin(), parsed.metadata.end());
  contents.files.push_back(std::move(file));
}

/// The index and the shards must name the same tensors in the same files.
void add_shards(Contents& contents, const std::filesystem::path& index_path) {
  const auto weight_map =
      parse_safetensors_index(read_text(index_path, kMaxIndexBytes), index_path);
  std::map<std::string, std::filesystem::path> shards;
  for (const auto& [tensor, shard] : weight_map) {
    shards.emplace(shard, index_path.parent_path() / shard);
  }
  for (const auto& [name, path] : shards) {
    const std::size_t first = contents.tensors.size();
    add_safetensors(contents, path, MappedFile(path));
    for (std::size_t i = first; i < contents.tensors.size(); ++i) {
      const std::string& tensor = contents.tensors[i].name;
      const auto entry = weight_map.find(tensor);
      if (entry == weight_map.end() || entry->second != name) {
        throw FormatError(
            message(index_path.string(), ": tensor '", tensor, "' lies in ", name, ", expected ",
                    entry == weight_map.end() ? "an entry that says so" : entry->second));
      }
    }
  }
  // Every tensor found agrees with the map, so what the map names beyond them is nowhere.
  if (contents.tensors.size() != weight_map.size()) {
    std::set<std::string_view> found;
    for (const StoredTensor& tensor : contents.tensors) {
      found.insert(tensor.name);
    }
    const auto missing = std::find_if(weight_map.begin(), weight_map.end(), [&](const auto& entry) {
      return !found.contains(entry.first);
    });
    throw FormatError(message(index_path.string(), ": tensor '", missing->first, "': expected in ",
                              missing->second, ", found in no shard"));
  }
}

void add_folder(Contents& contents, const std::filesystem::path& folder) {
  const auto single = folder / "model.safetensors";
  const auto index = folder / "model.safetensors.index.json";
  if (is_present(single)) {
    add_safetensors(contents, single, MappedFile(single));
  } else if (is_present(index)) {
    add_shards(contents, index);
  } else {
    throw IoError(folder.string() +
                  ": expected model.safetensors or model.safetensors.index.json in this folder");
  }
  contents.config_json = read_text(folder / "config.json", kMaxConfigBytes);
}

/// Adds the tensors and warnings of one GGUF file; the first file's metadata counts.
void add_gguf(Contents& contents, MappedFile file, GgufContents parsed) {
  std::move(parsed.tensors.begin(), parsed.tensors.end(), std::back_inserter(contents.tensors));
  std::move(parsed.warnings.begin(), parsed.warnings.end(), std::back_inserter(contents.warnings));
  if (contents.files.empty()) {
    contents.metadata = std::move(parsed.metadata);
  }
  contents.files.push_back(std::move(file));
}

void check_tensors_of_all_parts(const Contents& contents, const GgufPart& part,
                                const std::filesystem::path& file) {
  if (part.tensors_of_all && *part.tensors_of_all != contents.tensors.size()) {
    throw FormatError(message(file.string(), ": key 'split.tensors.count': expected ",
                              contents.tensors.size(), ", the tensors in all ", part.count,
                              " parts, found ", *part.tensors_of_all));
  }
}

void check_names_of_all_parts(const Contents& contents) {
  std::unordered_map<std::string_view, const std::filesystem::path*> file_of_name;
  for (const StoredTensor& tensor : contents.tensors) {
    const auto [first, is_new] = file_of_name.emplace(tensor.name, &tensor.file);
    if (!is_new) {
      throw FormatError(message(tensor.file.string(), ": tensor '", tensor.name,
                                "': expected in one part, found in ", first->second->string(),
                                " too"));
    }
  }
}

/// Opens every part of the model that `path` is the given part of.
void add_gguf_parts(Contents& contents, const std::filesystem::path& path, const GgufPart& part) {
  const auto files = gguf_part_files(path, part);
  std::vector<GgufPart> parts;
  for (const auto& name : files) {
    if (!is_present(name)) {
      throw IoError(message(name.string(), ": expected part ", parts.size() + 1, " of ", part.count,
                            ", beside ", path.string(), ", found no such file"));
    }
    MappedFile file(name);
    GgufContents parsed = parse_gguf(file.bytes(), name);
    const auto found = gguf_part(parsed.metadata, name);
    if (!found) {
      throw FormatError(message(name.string(), ": key 'split.count': expected ", part.count,
                                ", as ", path.string(), " says, found a whole file"));
    }
    parts.push_back(*found);
    add_gguf(contents, std::move(file), std::move(parsed));
  }
  check_names_of_all_parts(contents);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    check_tensors_of_all_parts(contents, parts[i], files[i]);
  }
}

void add_gguf_file(Contents& contents, const std::filesystem::path& path, MappedFile file) {
  contents.format = Checkpoint::Format::gguf;
  GgufContents parsed = parse_gguf(file.bytes(), path);
  if (const auto part = gguf_part(parsed.metadata, path)) {
    add_gguf_parts(contents, path, *part);
  } else {
    add_gguf(contents, std::move(file), std::move(parsed));
  }
}

void add_file(Contents& contents, const std::filesystem::path& path) {
  MappedFile file(path);
  const auto bytes = file.bytes();
  if (starts_with(bytes, gguf::kMagic)) {
    add_gguf_file(contents, path, std::move(file));
    return;
  }
  constexpr std::size_t kJsonOffset = 8;
  if (bytes.size() <= kJsonOffset || bytes[kJsonOffset] != std::byte{'{'}) {
    throw FormatError(message(path.string(),
                              ": expected 'GGUF' at byte 0 or, for safetensors, '{' ",
                              "at byte 8, found neither in ", bytes.size(), " bytes"));
  }
  add_safetensors(contents, path, std::move(file));
  contents.config_json = read_text(path.parent_path() / "config.json", kMaxConfigBytes);
}

}  // namespace

Checkpoint open_checkpoint(const std::filesystem::path& path) {
  auto contents = std::make_shared<Contents>();
  contents->path = path;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    add_folder(*contents, path);
  } else {
    add_file(*contents, path);
  }
  for (std::size_t i = 0; i < contents->tensors.size(); ++i) {
    contents->index_of_name.emplace(contents->tensors[i].name, i);
  }
  return Checkpoint(std::move(contents));
}

Checkpoint::Checkpoint(std::shared_ptr<const Contents> contents) : contents_(std::move(contents)) {}

Checkpoint::Format Checkpoint::format() const { return contents_->format; }
const std::filesystem::path& Checkpoint::path() const { return contents_->path; }
const std::vector<StoredTensor>& Checkpoint::tensors() const { return contents_->tensors; }
const std::map<std::string, MetadataValue>& Checkpoint::metadata() const {
  return contents_->metadata;
}
const std::string& Checkpoint::config_json() const { return contents_->config_json; }
const std::vector<std::string>& Checkpoint::warnings() const { return contents_->warnings; }

const StoredTensor* Checkpoint::find(std::string_view name) const {
  const auto found = contents_->index_of_name.find(name);
  return found == contents_->index_of_name.end() ? nullptr : &contents_->tensors[found->second];
}

void Checkpoint::release(std::span<const std::byte> bytes) const {
  contents_->for_mapped(bytes, &MappedFile::release);
}

void Checkpoint::populate(std::span<const std::byte> bytes) const {
  contents_->for_mapped(bytes, &MappedFile::populate);
}

}  // namespace bitnet
