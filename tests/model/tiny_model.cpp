// SPDX-License-Identifier: MIT
#include "tiny_model.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <random>
#include <stdexcept>

namespace bitnet {
namespace {

std::size_t element_count(const std::vector<std::size_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "bitnet-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("mkdtemp " + name);
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::size_t TemporaryFolder::file_count() const {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("cannot read " + path.string());
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

TinyModel::TinyModel(std::size_t hidden_size, std::size_t intermediate_size)
    : config({{"architectures", {"BitNetForCausalLM"}},
              {"hidden_act", "relu2"},
              {"hidden_size", hidden_size},
              {"intermediate_size", intermediate_size},
              {"num_hidden_layers", 1},
              {"num_attention_heads", 1},
              {"vocab_size", 16},
              {"max_position_embeddings", 64},
              {"rms_norm_eps", 1e-5},
              {"tie_word_embeddings", true}}) {
  std::mt19937 random(7);
  const auto add = [&](const std::string& name, const std::vector<std::size_t>& shape) {
    std::vector<float> values(element_count(shape));
    for (float& value : values) {
      value = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000.0F;
    }
    set_floats(name, shape, values);
  };
  const std::string layer = "model.layers.0.";
  add("model.embed_tokens.weight", {16, hidden_size});
  add("model.norm.weight", {hidden_size});
  add(layer + "input_layernorm.weight", {hidden_size});
  add(layer + "self_attn.attn_sub_norm.weight", {hidden_size});
  add(layer + "post_attention_layernorm.weight", {hidden_size});
  add(layer + "mlp.ffn_sub_norm.weight", {intermediate_size});
  for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) {
    add(layer + "self_attn." + name + ".weight", {hidden_size, hidden_size});
  }
  add(layer + "mlp.gate_proj.weight", {intermediate_size, hidden_size});
  add(layer + "mlp.up_proj.weight", {intermediate_size, hidden_size});
  add(layer + "mlp.down_proj.weight", {hidden_size, intermediate_size});
}

void TinyModel::set_floats(const std::string& name, const std::vector<std::size_t>& shape,
                           const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  tensors[name] = {"F32", shape, bytes, 0};
}

void TinyModel::set_bytes(const std::string& name, const std::vector<std::size_t>& shape,
                          const std::vector<std::uint8_t>& values) {
  tensors[name] = {"U8", shape, std::string(values.begin(), values.end()), 0};
}

void TinyModel::set_zeros(const std::string& name, const std::vector<std::size_t>& shape) {
  tensors[name] = {"F32", shape, "", element_count(shape) * sizeof(float)};
}

std::vector<float> TinyModel::floats(const std::string& name) const {
  const std::string& bytes = tensors.at(name).bytes;
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

void TinyModel::write(const std::filesystem::path& folder) const {
  nlohmann::ordered_json header;
  std::size_t size = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t end = size + tensor.bytes.size() + tensor.zeros;
    header[name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {size, end}}};
    size = end;
  }
  std::string text = header.dump();
  text += text.size() % 2 == 0 ? " " : "";
  const std::filesystem::path path = folder / "model.safetensors";
  std::ofstream file(path, std::ios::binary);
  const std::uint64_t length = text.size();
  file.write(reinterpret_cast<const char*>(&length), sizeof length);
  file << text;
  for (const auto& [name, tensor] : tensors) {
    file << tensor.bytes;
    file.seekp(static_cast<std::streamoff>(tensor.zeros), std::ios::cur);
  }
  file.close();
  std::filesystem::resize_file(path, sizeof length + text.size() + size);
  std::ofstream(folder / "config.json") << config.dump();
}

}  // namespace bitnet
