# SPDX-License-Identifier: MIT
"""The work of transformer_step.cpp as plain PyTorch (Debian: python3-torch): the BitLinear of the BitNet b1.58
training tips, straight-through by detach(), torch.optim.AdamW, torch.nn.functional elsewhere.

  python3 bench/training/plain_pytorch.py --threads 1 --seconds 10 [--float]
"""
import argparse
import json
import math
import resource
import time

import torch
from torch import nn
from torch.nn import functional as F

ROWS, CONTEXT, VOCABULARY = 16, 256, 4096
HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 256, 768, 4, 4, 2, 64
EPS = 1e-5


def activation_quant(x):
    scale = 127 / x.abs().amax(-1, keepdim=True).clamp_(min=1e-5)
    return (x * scale).round().clamp_(-128, 127) / scale


def weight_quant(w):
    scale = 1 / w.abs().mean().clamp_(min=1e-5)
    return (w * scale).round().clamp_(-1, 1) / scale


class BitLinear(nn.Linear):
    quantizes = True

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, bias=False)
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x):
        if not self.quantizes:
            return F.linear(x, self.weight)
        x_hat = x + (activation_quant(x) - x).detach()
        w_hat = self.weight + (weight_quant(self.weight) - self.weight).detach()
        return F.linear(x_hat, w_hat)


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS) * self.weight


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm, self.attention_sub_norm = Norm(HIDDEN), Norm(HEADS * HEAD_DIM)
        self.q, self.o = BitLinear(HIDDEN, HEADS * HEAD_DIM), BitLinear(HEADS * HEAD_DIM, HIDDEN)
        self.k, self.v = BitLinear(HIDDEN, KV_HEADS * HEAD_DIM), BitLinear(HIDDEN, KV_HEADS * HEAD_DIM)
        self.feed_forward_norm, self.feed_forward_sub_norm = Norm(HIDDEN), Norm(INNER)
        self.gate, self.up, self.down = BitLinear(HIDDEN, INNER), BitLinear(HIDDEN, INNER), BitLinear(INNER, HIDDEN)

    def forward(self, x, cos, sin, mask):
        h = self.attention_norm(x)
        split = lambda y: y.view(ROWS, CONTEXT, -1, HEAD_DIM).transpose(1, 2)
        q, k = rotate(split(self.q(h)), cos, sin), rotate(split(self.k(h)), cos, sin)
        v = split(self.v(h))
        k, v = (y.repeat_interleave(HEADS // KV_HEADS, 1) for y in (k, v))
        p = F.softmax(q @ k.transpose(2, 3) / math.sqrt(HEAD_DIM) + mask, dim=-1)
        x = x + self.o(self.attention_sub_norm((p @ v).transpose(1, 2).reshape(ROWS, CONTEXT, -1)))
        h = self.feed_forward_norm(x)
        return x + self.down(self.feed_forward_sub_norm(F.relu(self.gate(h)).square() * self.up(h)))


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = Norm(HIDDEN)
        angle = torch.outer(torch.arange(CONTEXT), 10000 ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM))
        self.cos, self.sin = angle.cos(), angle.sin()
        self.mask = torch.full((CONTEXT, CONTEXT), -math.inf).triu(1)

    def forward(self, ids):
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin, self.mask)
        return F.linear(self.norm(x), self.embedding.weight)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=10)
    parser.add_argument('--float', action='store_true', help='without quantization')
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    BitLinear.quantizes = not options.float
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    ids = torch.randint(VOCABULARY, (ROWS, CONTEXT + 1))

    def step():
        optimizer.zero_grad(set_to_none=True)
        logits = model(ids[:, :-1])
        F.cross_entropy(logits.view(-1, VOCABULARY), ids[:, 1:].reshape(-1)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()

    step()
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < options.seconds:
        step()
        steps += 1
    rate = steps * ROWS * CONTEXT / (time.perf_counter() - start)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({'tokens_per_second': rate, 'peak_mb': peak_mb}))


if __name__ == '__main__':
    main()
