"""PyTorch's side of training-speed.sh: the same model, weights and tokens, on the CPU.

probe                             floating-point operations per second of a product, and the BLAS that ran it
run SETTINGS FOLDER THREADS       trains; a JSON object for each step: loss, gradient norm, seconds
compare SETTINGS OURS… -- TORCH…  holds the steps of the runs against each other, and prints medians
"""
import ctypes
import json
import statistics
import sys
import time

# Single precision, added up in another order. A wrong mask, rotation, clip or moment is ten times outside within three steps.
LOSS_TOLERANCE, NORM_TOLERANCE = 2e-4, 5e-3
WARM_UP = 2                                    # steps at the beginning of a run that do not count: compilation, first touch of memory


def blas():
    """The libraries that are loaded and have BLAS in their names, with the kernel where OpenBLAS says so."""
    with open("/proc/self/maps") as maps:
        paths = sorted({line.split()[-1] for line in maps if ".so" in line and any(name in line for name in ("blas", "mkl", "blis"))})
    kernels = []
    for path in paths:
        try:
            core = ctypes.CDLL(path).openblas_get_corename
        except (AttributeError, OSError):
            continue
        core.restype = ctypes.c_char_p
        kernels.append(core().decode())
    return f"{', '.join(paths) or 'no BLAS library'}; kernel {', '.join(sorted(set(kernels))) or 'unknown'}"


def probe(threads):
    import torch

    torch.set_num_threads(threads)
    a, b, best = torch.randn(1024, 1024), torch.randn(1024, 1024), float("inf")
    for _ in range(8):
        start = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - start)
    print(f"{2 * 1024 ** 3 / best / 1e9:.0f} {blas()}")


def read_safetensors(path):
    import torch

    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            assert entry["dtype"] == "F32", name
            begin, end = entry["data_offsets"]
            tensors[name] = torch.frombuffer(data, dtype=torch.float32, count=(end - begin) // 4, offset=begin).reshape(entry["shape"]).clone()
    return tensors


def build(settings, weights):
    import torch
    from torch import nn
    from torch.nn import functional as F

    hidden, heads, length = settings["hidden_size"], settings["num_attention_heads"], settings["sequence_length"]
    size = hidden // heads
    angles = torch.outer(torch.arange(length).float(), 10_000 ** (-torch.arange(0, size, 2) / size)).repeat(1, 2)
    cosine, sine = angles.cos(), angles.sin()
    mask = torch.full((length, length), float("-inf")).triu(1)

    class Norm(nn.Module):
        def __init__(self, weight):
            super().__init__()
            self.weight = nn.Parameter(weight)

        def forward(self, x):
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight

    def linear(*names):
        weight = torch.cat([weights[name] for name in names])
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.weight = nn.Parameter(weight)
        return layer

    def rotate(x):
        low, high = x.chunk(2, -1)
        return x * cosine + torch.cat([-high, low], -1) * sine

    def attend(query, key, value):
        if hasattr(F, "scaled_dot_product_attention"):
            return F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return torch.softmax(query @ key.transpose(-1, -2) * size ** -0.5 + mask, -1) @ value

    class Block(nn.Module):
        def __init__(self, layer):
            super().__init__()
            prefix = f"model.layers.{layer}."
            self.attention_norm = Norm(weights[prefix + "input_layernorm.weight"])
            self.feed_forward_norm = Norm(weights[prefix + "post_attention_layernorm.weight"])
            self.query_key_value = linear(*(f"{prefix}self_attn.{name}_proj.weight" for name in "qkv"))
            self.output = linear(prefix + "self_attn.o_proj.weight")
            self.gate_up = linear(prefix + "mlp.gate_proj.weight", prefix + "mlp.up_proj.weight")
            self.down = linear(prefix + "mlp.down_proj.weight")

        def forward(self, x):
            batch = x.shape[0]
            query, key, value = self.query_key_value(self.attention_norm(x)).view(batch, length, 3, heads, size).permute(2, 0, 3, 1, 4)
            attended = attend(rotate(query), rotate(key), value)
            x = x + self.output(attended.transpose(1, 2).reshape(batch, length, hidden))
            gate, up = self.gate_up(self.feed_forward_norm(x)).chunk(2, -1)
            return x + self.down(F.silu(gate) * up)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Parameter(weights["model.embed_tokens.weight"])
            self.head = None if settings["tie_word_embeddings"] else nn.Parameter(weights["lm_head.weight"])
            self.blocks = nn.ModuleList(Block(layer) for layer in range(settings["num_hidden_layers"]))
            self.norm = Norm(weights["model.norm.weight"])

        def forward(self, tokens):
            x = F.embedding(tokens, self.embedding)
            for block in self.blocks:
                x = block(x)
            return F.linear(self.norm(x[:, :-1]), self.embedding if self.head is None else self.head)     # nothing follows the last token

    return Model()


def run(settings, folder, threads):
    import torch
    from torch.nn import functional as F
    from torch.nn.utils import clip_grad_norm_

    torch.set_num_threads(threads)
    model = build(settings, read_safetensors(f"{folder}/model/model.safetensors"))
    shape = settings["batches"], settings["batch_size"], settings["sequence_length"]
    with open(f"{folder}/tokens.bin", "rb") as file:
        batches = torch.frombuffer(bytearray(file.read()), dtype=torch.int32).long().reshape(shape)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["learning_rate"], betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    for step in range(settings["steps"]):
        tokens = batches[step % len(batches)]
        start = time.perf_counter()
        loss = F.cross_entropy(model(tokens).flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        norm = clip_grad_norm_(model.parameters(), settings["max_grad_norm"])
        optimizer.step()
        optimizer.zero_grad()
        seconds = time.perf_counter() - start
        print(json.dumps({"step": step + 1, "loss": loss.item(), "norm": norm.item(), "seconds": seconds}), flush=True)
    print(f"PyTorch {torch.__version__}; {blas()}", file=sys.stderr)


def compare(settings, ours, torch):
    def read(paths):
        runs = [[json.loads(line) for line in open(path)] for path in paths]
        tokens = settings["batch_size"] * settings["sequence_length"]
        return runs, statistics.median(tokens / step["seconds"] for run in runs for step in run[WARM_UP:])

    (our_runs, our_speed), (torch_runs, torch_speed) = read(ours), read(torch)
    agree = all(len(run) == settings["steps"] for run in our_runs + torch_runs)
    print("step  loss, ours  loss, PyTorch  norm, ours  norm, PyTorch")
    for mine, theirs in zip(our_runs[0], torch_runs[0]):
        close = (abs(mine["loss"] - theirs["loss"]) <= LOSS_TOLERANCE * theirs["loss"]
                 and abs(mine["norm"] - theirs["norm"]) <= NORM_TOLERANCE * theirs["norm"])
        agree &= close
        print(f"{mine['step']:4}  {mine['loss']:10.5f}  {theirs['loss']:13.5f}  {mine['norm']:10.4f}  {theirs['norm']:13.4f}{'' if close else '  DIFFERENT'}")
    learnt = our_runs[0][0]["loss"] - our_runs[0][-1]["loss"]
    print(f"\nThe loss fell by {learnt:.3f}; the two {'agree' if agree else 'DO NOT AGREE'} "
          f"(within {LOSS_TOLERANCE:.0e} of the loss, {NORM_TOLERANCE:.0e} of the norm).")
    print(f"tokens/s, medians of {len(our_runs)} runs each, first {WARM_UP} steps left out: ours {our_speed:,.0f}, PyTorch {torch_speed:,.0f}: "
          f"{our_speed / torch_speed:.2f} times")
    return 0 if agree and learnt > 100 * LOSS_TOLERANCE else 1


def main(arguments):
    if arguments[:1] == ["probe"]:
        return probe(int(arguments[1]))
    with open(arguments[1]) as file:
        settings = json.load(file)
    if arguments[0] == "run":
        return run(settings, arguments[2], int(arguments[3]))
    split = arguments.index("--")
    return compare(settings, arguments[2:split], arguments[split + 1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
