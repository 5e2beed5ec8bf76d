// SPDX-License-Identifier: MIT
// Trains the classifier of models/fashion, or its twin in full precision: the same program, seed,
// layers and augmentation; only lambda, the strength of quantization, differs. train.sh says how.
#include <ATen/Parallel.h>
#include <bitnet/train/adamw.h>
#include <bitnet/train/bit_linear.h>
#include <bitnet/train/schedule.h>
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "classifier.h"
#include "examples/idx_file.h"

namespace bitnet::fashion {
namespace {

constexpr std::int64_t kSide = 28;
constexpr std::int64_t kPixels = kSide * kSide;
constexpr std::int64_t kKinds = 10;
constexpr std::int64_t kHeldOut = 5000;  // the last of the training pictures choose the recipe

struct Recipe {
  std::string data = "build/models/fashion/data";
  std::vector<std::int64_t> hidden = {640, 640};
  int epochs = 40;
  std::int64_t batch = 128;
  double learning_rate = 5e-4;
  double weight_decay = 0.05;
  double dropout = 0.1;
  double smoothing = 0.1;
  int shift = 0;  // pixels, each way
  bool flip = true;
  bool full_precision = false;
  std::uint64_t seed = 1;
  int threads = 1;           // one: the sums have one order
  std::string model, curve;  // files to write
  bool test = false;
};

struct Pictures {
  std::vector<std::uint8_t> pixels;  // [T, 784]
  torch::Tensor kinds;               // [T]

  std::int64_t count() const { return kinds.size(0); }
};

Pictures read_pictures(const std::string& folder, const std::string& part) {
  IdxFile labels = read_idx(folder + "/" + part + "-labels-idx1-ubyte");
  const torch::Tensor kinds =
      torch::from_blob(labels.values.data(), labels.dimensions, torch::kUInt8).to(torch::kInt64);
  return {read_idx(folder + "/" + part + "-images-idx3-ubyte").values, kinds};
}

/// The multilayer perceptron of Classifier, with gradients.
struct PerceptronImpl : torch::nn::Module {
  explicit PerceptronImpl(const Recipe& recipe) : dropout(recipe.dropout) {
    std::int64_t inputs = kPixels;
    std::vector<std::int64_t> widths = recipe.hidden;
    widths.push_back(kKinds);
    for (const std::int64_t width : widths) {
      // Pixels lie in 0..1: a norm would take away how bright the picture is.
      const BitNetConfig config = BitNetConfig::b158().with_rms_norm(!layers.empty());
      layers.emplace_back(train::BitLinearOptions(inputs, width).quantization(config));
      layers.back()->lambda = recipe.full_precision ? 0 : 1;
      register_module("layer" + std::to_string(layers.size() - 1), layers.back());
      inputs = width;
    }
  }

  torch::Tensor forward(torch::Tensor x) {
    for (train::BitLinear& layer : layers) {
      if (layer.ptr() != layers.front().ptr()) {
        x = torch::dropout(x.relu(), dropout, is_training());
      }
      x = layer->forward(x);
    }
    return x;
  }

  Classifier to_inference() const {
    Classifier classifier;
    for (const train::BitLinear& layer : layers) {
      classifier.layers.push_back(layer->to_inference());
    }
    return classifier;
  }

  std::vector<train::BitLinear> layers;
  double dropout;
};
TORCH_MODULE(Perceptron);

/// One picture in 0..1, moved by (down, right) with black behind it, perhaps mirrored.
void draw(const std::uint8_t* picture, int down, int right, bool mirrored, float* out) {
  for (std::int64_t y = 0; y < kSide; ++y) {
    for (std::int64_t x = 0; x < kSide; ++x) {
      const std::int64_t from_y = y - down;
      const std::int64_t from_x = (mirrored ? kSide - 1 - x : x) - right;
      const bool inside = from_y >= 0 && from_y < kSide && from_x >= 0 && from_x < kSide;
      out[y * kSide + x] =
          inside ? static_cast<float>(picture[from_y * kSide + from_x]) / 255 : 0.0F;
    }
  }
}

torch::Tensor augmented(const Pictures& pictures, const torch::Tensor& chosen, const Recipe& recipe,
                        std::mt19937_64& random) {
  torch::Tensor batch = torch::empty({chosen.size(0), kPixels});
  const auto* const index = chosen.data_ptr<std::int64_t>();
  const auto below = [&](std::uint64_t n) { return static_cast<int>(random() % n); };
  for (std::int64_t t = 0; t < chosen.size(0); ++t) {
    const int down = below(2 * recipe.shift + 1) - recipe.shift;
    const int right = below(2 * recipe.shift + 1) - recipe.shift;
    draw(&pictures.pixels[index[t] * kPixels], down, right, recipe.flip && below(2) == 1,
         batch.data_ptr<float>() + t * kPixels);
  }
  return batch;
}

/// How many of the pictures first .. first + count - 1 the module tells right.
std::int64_t count_right(Perceptron& module, const Pictures& pictures, std::int64_t first,
                         std::int64_t count) {
  const torch::NoGradGuard no_grad;
  module->eval();
  torch::Tensor pixels = torch::empty({count, kPixels});
  for (std::int64_t t = 0; t < count; ++t) {
    draw(&pictures.pixels[(first + t) * kPixels], 0, 0, false,
         pixels.data_ptr<float>() + t * kPixels);
  }
  const torch::Tensor found = module->forward(pixels).argmax(1);
  module->train();
  return found.eq(pictures.kinds.narrow(0, first, count)).sum().item<std::int64_t>();
}

struct Epoch {
  double loss;      // mean over the augmented training pictures
  double held_out;  // percent right
};

std::vector<Epoch> train_perceptron(Perceptron& module, const Pictures& pictures,
                                    const Recipe& recipe) {
  const std::int64_t count = pictures.count() - kHeldOut;
  const std::int64_t steps = count / recipe.batch;  // of an epoch; the rest of it is left out
  train::AdamW optimizer(module->named_parameters().pairs());
  const train::Schedule schedule{.kind = train::ScheduleKind::cosine,
                                 .steps = steps * recipe.epochs,
                                 .warmup_steps = steps,
                                 .learning_rate = recipe.learning_rate,
                                 .weight_decay = recipe.weight_decay};
  const auto options =
      torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(recipe.smoothing);
  std::mt19937_64 random(recipe.seed);
  std::vector<Epoch> curve;
  for (int epoch = 0; epoch < recipe.epochs; ++epoch) {
    const torch::Tensor order = torch::randperm(count);
    double sum = 0;
    for (std::int64_t step = 0; step < steps; ++step) {
      const torch::Tensor chosen = order.narrow(0, step * recipe.batch, recipe.batch);
      const torch::Tensor logits = module->forward(augmented(pictures, chosen, recipe, random));
      const torch::Tensor loss = torch::nn::functional::cross_entropy(
          logits, pictures.kinds.index_select(0, chosen), options);
      optimizer.zero_grad();
      loss.backward();
      const auto [learning_rate, weight_decay] = schedule.at(optimizer.steps());
      optimizer.step(learning_rate, weight_decay);
      sum += loss.item<double>();
    }
    const auto right = static_cast<double>(count_right(module, pictures, count, kHeldOut));
    curve.push_back({sum / static_cast<double>(steps), 100 * right / kHeldOut});
    std::cout << "epoch " << epoch + 1 << "  loss " << curve.back().loss << "  held out "
              << curve.back().held_out << " %" << std::endl;
  }
  return curve;
}

/// right: how many of the test pictures, if they were looked at.
void write_curve(const Recipe& recipe, const std::vector<Epoch>& curve,
                 std::optional<std::int64_t> right) {
  std::ofstream file(recipe.curve);
  const auto write_list = [&](const char* name, double Epoch::*figure) {
    file << ", \"" << name << "\": [";
    for (const Epoch& epoch : curve) {
      file << (&epoch == curve.data() ? "" : ", ") << epoch.*figure;
    }
    file << "]";
  };
  file << "{\"seed\": " << recipe.seed << ", \"learning_rate\": " << recipe.learning_rate;
  write_list("loss", &Epoch::loss);
  write_list("held_out", &Epoch::held_out);
  if (right) file << ", \"right\": " << *right;
  file << "}\n";
}

void run(const Recipe& recipe) {
  at::set_num_threads(recipe.threads);
  torch::manual_seed(recipe.seed);
  const Pictures pictures = read_pictures(recipe.data, "train");
  Perceptron module(recipe);
  const std::vector<Epoch> curve = train_perceptron(module, pictures, recipe);
  std::optional<std::int64_t> right;
  if (recipe.test) {
    const Pictures unseen = read_pictures(recipe.data, "t10k");
    right = count_right(module, unseen, 0, unseen.count());
    std::cout << *right << " of " << unseen.count() << " test pictures right\n";
  }
  if (!recipe.curve.empty()) write_curve(recipe, curve, right);
  if (!recipe.model.empty()) module->to_inference().save(recipe.model);
}

}  // namespace
}  // namespace bitnet::fashion

int main(int argc, char** argv) {
  bitnet::fashion::Recipe recipe;
  CLI::App app("Trains the classifier of models/fashion");
  app.option_defaults()->always_capture_default();
  app.add_option("--data", recipe.data, "folder of the IDX files");
  app.add_option("--hidden", recipe.hidden, "widths of the hidden layers");
  app.add_option("--epochs", recipe.epochs);
  app.add_option("--batch", recipe.batch);
  app.add_option("--learning-rate", recipe.learning_rate, "peak; one epoch up, a cosine down");
  app.add_option("--weight-decay", recipe.weight_decay);
  app.add_option("--dropout", recipe.dropout, "of the hidden activations");
  app.add_option("--smoothing", recipe.smoothing, "of the labels");
  app.add_option("--shift", recipe.shift, "augmentation: pixels, each way");
  app.add_option("--flip", recipe.flip, "augmentation: half of the pictures mirrored");
  app.add_option("--seed", recipe.seed);
  app.add_option("--threads", recipe.threads);
  app.add_flag("--full-precision", recipe.full_precision, "the twin in float32");
  app.add_flag("--test", recipe.test, "score the test pictures at the end");
  app.add_option("--model", recipe.model, "safetensors file to write");
  app.add_option("--curve", recipe.curve, "JSON file to write");
  CLI11_PARSE(app, argc, argv);
  try {
    bitnet::fashion::run(recipe);
  } catch (const std::exception& error) {
    std::cerr << "fashion_train: error: " << error.what() << "\n";
    return 1;
  }
}
