"""PyTorch's tokens per second on the model of the training benchmark, on the CPU: forward, backward, clipping, AdamW.

Usage: python3 train_torch.py [steps] [threads]. The same shape in this repository: hidden 192, 6 layers, 6 heads, ffn 512, vocabulary 2048,
tied head, 16 sequences of 256 random tokens. Alternate the two on a quiet machine and compare medians. Debian's build calls whatever BLAS the
system has: without OpenBLAS it is the reference one, which is some twenty times slower than it needs to be; print torch.__config__.show().
"""
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 8
THREADS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
HIDDEN, LAYERS, HEADS, FFN, VOCABULARY, BATCH, LENGTH = 192, 6, 6, 512, 2048, 16, 256
SIZE = HIDDEN // HEADS

angles = torch.outer(torch.arange(LENGTH).float(), 10_000 ** (-torch.arange(0, SIZE, 2) / SIZE)).repeat(1, 2)
COSINE, SINE = angles.cos(), angles.sin()
MASK = torch.full((LENGTH, LENGTH), float("-inf")).triu(1)


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(HIDDEN))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


def rotate(x):
    low, high = x.chunk(2, -1)
    return x * COSINE + torch.cat([-high, low], -1) * SINE


def attend(query, key, value):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)
    return torch.softmax(query @ key.transpose(-1, -2) * SIZE ** -0.5 + MASK, -1) @ value


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm, self.feed_forward_norm = Norm(), Norm()
        self.query_key_value = nn.Linear(HIDDEN, 3 * HIDDEN, bias=False)
        self.output = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.gate_up = nn.Linear(HIDDEN, 2 * FFN, bias=False)
        self.down = nn.Linear(FFN, HIDDEN, bias=False)

    def forward(self, x):
        heads = self.query_key_value(self.attention_norm(x)).view(BATCH, LENGTH, 3, HEADS, SIZE)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        attended = attend(rotate(query), rotate(key), value)
        x = x + self.output(attended.transpose(1, 2).reshape(BATCH, LENGTH, HIDDEN))
        gate, up = self.gate_up(self.feed_forward_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = Norm()
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, 0, 0.02)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.embedding.weight)


torch.set_num_threads(THREADS)
torch.manual_seed(1)
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
rates = []
for step in range(STEPS):
    tokens = torch.randint(0, VOCABULARY, (BATCH, LENGTH))
    start = time.perf_counter()
    loss = F.cross_entropy(model(tokens)[:, :-1].reshape(-1, VOCABULARY), tokens[:, 1:].reshape(-1))
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    rates.append(BATCH * LENGTH / (time.perf_counter() - start))
    print(f"step {step + 1}: loss {loss.item():.4f}, {rates[-1]:.0f} tokens/s", flush=True)

rates = sorted(rates[1:])
print(f"PyTorch {torch.__version__}, {THREADS} threads: median {rates[len(rates) // 2]:.0f} tokens/s")
