// SPDX-License-Identifier: MIT
#include "device.h"

#include <bitnet/error.h>
#include <torch/torch.h>

#include "base/message.h"

namespace bitnet::train {
namespace {

torch::Device find_device(const std::string& name) {
  const auto unavailable = [&](const auto&... expected) {
    return InvalidArgument(message("device: expected ", expected..., ", found ", name));
  };
  torch::Device device(torch::kCPU);
  try {
    device = torch::Device(name);
  } catch (const c10::Error&) {
    throw unavailable("cpu, cuda or cuda:N");
  }
  if (device.is_cpu()) {
    return device;
  }
  const auto devices = static_cast<std::int64_t>(torch::cuda::device_count());
  if (!device.is_cuda() || devices == 0) {
    throw unavailable("cpu, for this libtorch finds no CUDA device");
  }
  if (device.index() >= devices) {
    throw unavailable("cuda:0 to cuda:", devices - 1);
  }
  return device;
}

}  // namespace

void place(TransformerImpl& model, const TrainingOptions& options) {
  model.to(find_device(options.device));
  model.set_precision(options.bfloat16 ? Precision::bfloat16 : Precision::float32);
}

}  // namespace bitnet::train
