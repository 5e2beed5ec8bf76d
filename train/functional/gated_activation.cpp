// SPDX-License-Identifier: MIT
#include <ATen/Parallel.h>
#include <bitnet/error.h>
#include <bitnet/runtime.h>
#include <bitnet/train/functional.h>
#include <torch/torch.h>

#include <algorithm>

#include "base/message.h"
#include "functional/matrix_product.h"
#include "kernels/kernel_table.h"

namespace bitnet::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Numbers that a thread takes at least.
constexpr std::int64_t kGrain = 1 << 14;

/// z = max(g, 0)² u:  dg = 2 max(g, 0) u dz,  du = max(g, 0)² dz.
struct SquaredReluGate : torch::autograd::Function<SquaredReluGate> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& gate_in,
                               const torch::Tensor& up_in) {
    const torch::Tensor gate = gate_in.contiguous();
    const torch::Tensor up = up_in.contiguous();
    torch::Tensor out = torch::empty_like(gate);
    const kernels::KernelTable& kernels = Runtime::serial().kernels();
    at::parallel_for(0, gate.numel(), kGrain, [&](std::int64_t first, std::int64_t last) {
      kernels.gate_relu2(gate.data_ptr<float>() + first, up.data_ptr<float>() + first, last - first,
                         out.data_ptr<float>() + first);
    });
    context->save_for_backward({gate, up});
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const variable_list saved = context->get_saved_variables();
    const torch::Tensor dz = output_gradients[0].contiguous();
    torch::Tensor d_gate = torch::empty_like(dz);
    torch::Tensor d_up = torch::empty_like(dz);
    at::parallel_for(0, dz.numel(), kGrain, [&](std::int64_t first, std::int64_t last) {
      const float* const g = saved[0].data_ptr<float>();
      const float* const u = saved[1].data_ptr<float>();
      const float* const d = dz.data_ptr<float>();
      float* const dg = d_gate.data_ptr<float>();
      float* const du = d_up.data_ptr<float>();
      for (std::int64_t i = first; i < last; ++i) {
        const float positive = std::max(g[i], 0.0F);
        dg[i] = 2 * positive * u[i] * d[i];
        du[i] = positive * positive * d[i];
      }
    });
    return {d_gate, d_up};
  }
};

}  // namespace

torch::Tensor gated_activation(const torch::Tensor& gate, const torch::Tensor& up,
                               const std::string& hidden_act) {
  if (hidden_act == "relu2") {
    return runs_fused(gate) ? SquaredReluGate::apply(gate, up) : torch::relu(gate).square() * up;
  }
  if (hidden_act == "silu") {
    return torch::silu(gate) * up;
  }
  if (hidden_act == "gelu_pytorch_tanh") {
    return torch::gelu(gate, "tanh") * up;
  }
  if (hidden_act == "gelu") {
    return torch::gelu(gate) * up;
  }
  throw UnsupportedError(
      message("hidden_act: expected relu2, silu, gelu or gelu_pytorch_tanh, found ", hidden_act));
}

}  // namespace bitnet::train
