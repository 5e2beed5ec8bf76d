// SPDX-License-Identifier: MIT
// The Rust crate's benchmark list: activation quantization, weight quantization, BitLinear forward.
#include <bitnet/bit_linear.h>
#include <bitnet/quantize.h>

#include <memory>

#include "base/message.h"
#include "base/thread_pool.h"
#include "contest.h"
#include "copy_pass.h"
#include "random_inputs.h"
#include "seed_loops.h"

namespace bitnet::bench {
namespace {

// Read once as floats, written once as codes.
double activation_gigabytes(const Shape& shape) {
  return static_cast<double>(shape.numel()) * (sizeof(float) + sizeof(std::int8_t)) * 1e-9;
}

Contender activations_ours(std::string name, const Shape& shape, const BitNetConfig& config,
                           const Runtime& runtime) {
  return {std::move(name), [=, &runtime] {
            const auto x = std::make_shared<Tensor>(random_tensor(shape));
            const auto out = std::make_shared<QuantizedActivations>();
            return Task{activation_gigabytes(shape),
                        [=, &runtime] { quantize_activations(x->view(), config, *out, runtime); }};
          }};
}

Contender activations_copy_pass(const Shape& shape, const Runtime& runtime) {
  return {"copy pass", [=, &runtime] {
            const auto x = std::make_shared<Tensor>(random_tensor(shape));
            const auto out = std::make_shared<std::vector<std::int8_t>>(shape.numel());
            const auto parts = static_cast<std::size_t>(runtime.threads());
            return Task{activation_gigabytes(shape), [=, &runtime] {
                          const std::size_t n = out->size();
                          runtime.pool().parallel_for(parts, [&](std::size_t part) {
                            const std::size_t first = n * part / parts;
                            copy_pass(x->data.data() + first, n * (part + 1) / parts - first,
                                      out->data() + first);
                          });
                        }};
          }};
}

Contender activations_seed(const Shape& shape) {
  return {"crate's loop", [=] {
            const auto x = std::make_shared<Tensor>(random_tensor(shape));
            const auto codes = std::make_shared<std::vector<std::int8_t>>(shape.numel());
            const auto scales = std::make_shared<std::vector<float>>(shape.rows());
            return Task{activation_gigabytes(shape), [=] {
                          seed_quantize_activations(x->data.data(), shape.rows(), shape.columns(),
                                                    codes->data(), scales->data());
                        }};
          }};
}

Contest activation_contest(const Shape& shape, const Runtime& runtime) {
  Contest contest{.title = message("quantize activations ", shape.to_string()),
                  .unit = "GB/s",
                  .runtime = &runtime,
                  .ours = {activations_ours("default preset", shape, {}, runtime),
                           activations_ours("b158 preset", shape, BitNetConfig::b158(), runtime)},
                  .references = {activations_copy_pass(shape, runtime)}};
  if (runtime.threads() == 1) {
    contest.references.push_back(activations_seed(shape));
  }
  return contest;
}

double weight_gigabytes(const Shape& shape) {
  return static_cast<double>(shape.numel() * sizeof(float)) * 1e-9;
}

Contender weights_ours(std::string name, const Shape& shape, const BitNetConfig& config,
                       const Runtime& runtime) {
  return {std::move(name), [=, &runtime] {
            const auto w = std::make_shared<Tensor>(random_tensor(shape));
            return Task{weight_gigabytes(shape),
                        [=, &runtime] { quantize_weights(w->view(), config, runtime); }};
          }};
}

Contender weights_seed(const Shape& shape) {
  return {"crate's loop", [=] {
            const std::size_t group_size = BitNetConfig{}.group_size;
            const auto w = std::make_shared<Tensor>(random_tensor(shape));
            const auto words = std::make_shared<std::vector<std::uint32_t>>(shape.numel() / 16);
            const auto scales = std::make_shared<std::vector<float>>(shape.numel() / group_size);
            return Task{weight_gigabytes(shape), [=] {
                          seed_quantize_weights(w->data.data(), shape.rows(), shape.columns(),
                                                group_size, words->data(), scales->data());
                        }};
          }};
}

Contest weight_contest(const Shape& shape, const Runtime& runtime) {
  Contest contest{.title = message("quantize weights ", shape.to_string()),
                  .unit = "GB/s",
                  .runtime = &runtime,
                  .ours = {weights_ours("default preset", shape, {}, runtime),
                           weights_ours("b158 preset", shape, BitNetConfig::b158(), runtime)},
                  .references = {memory_reads(runtime)}};
  if (runtime.threads() == 1) {
    contest.references.push_back(weights_seed(shape));
  }
  return contest;
}

struct LayerShape {
  std::size_t tokens, in_features, out_features;

  double giga_multiply_adds() const {
    return static_cast<double>(tokens * in_features * out_features) * 1e-9;
  }
};

Contender forward_ours(std::string name, const LayerShape& shape, const BitNetConfig& config,
                       const Runtime& runtime) {
  return {
      std::move(name), [=, &runtime] {
        const Tensor weight = random_tensor({shape.out_features, shape.in_features});
        const auto layer =
            std::make_shared<BitLinear>(BitLinear::from_weight(weight.view(), {}, config, runtime));
        const auto x = std::make_shared<Tensor>(random_tensor({shape.tokens, shape.in_features}));
        return Task{shape.giga_multiply_adds(),
                    [=, &runtime] { layer->forward(x->view(), runtime); }};
      }};
}

Contender forward_seed(const LayerShape& shape) {
  return {
      "crate's loop", [=] {
        const auto w = std::make_shared<Tensor>(dequantize_weights(
            quantize_weights(random_tensor({shape.out_features, shape.in_features}).view())));
        const auto x = std::make_shared<Tensor>(random_tensor({shape.tokens, shape.in_features}));
        const auto y = std::make_shared<std::vector<float>>(shape.tokens * shape.out_features);
        return Task{shape.giga_multiply_adds(), [=] {
                      seed_matmul(x->data.data(), shape.tokens, w->data.data(), shape.out_features,
                                  shape.in_features, y->data());
                    }};
      }};
}

Contest forward_contest(const LayerShape& shape, const Runtime& runtime) {
  Contest contest{.title = message("forward ", shape.in_features, "x", shape.out_features,
                                   ", batch ", shape.tokens),
                  .unit = "GMAC/s",
                  .runtime = &runtime,
                  .ours = {forward_ours("default preset", shape, {}, runtime),
                           forward_ours("b158 preset", shape, BitNetConfig::b158(), runtime)},
                  .references = {}};
  if (runtime.threads() == 1) {
    contest.references.push_back(forward_seed(shape));
  }
  return contest;
}

}  // namespace

std::vector<Contest> layer_contests(const Runtime& runtime) {
  std::vector<Contest> contests;
  for (const Shape& shape : {Shape{4, 128, 512}, Shape{8, 256, 1024}, Shape{16, 512, 2048}}) {
    contests.push_back(activation_contest(shape, runtime));
  }
  // The crate's three sizes fit in caches; the last one does not.
  for (const std::size_t n : {64, 256, 1024, 4096}) {
    contests.push_back(weight_contest({n, 4 * n}, runtime));
  }
  for (const LayerShape& shape :
       {LayerShape{4, 64, 128}, LayerShape{4, 256, 512}, LayerShape{4, 1024, 4096}}) {
    contests.push_back(forward_contest(shape, runtime));
  }
  return contests;
}

}  // namespace bitnet::bench
