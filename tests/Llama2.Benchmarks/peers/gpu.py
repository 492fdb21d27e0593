"""Hugging Face transformers' side of gpu.sh, and the table of both.

run SETTINGS DEVICE                generates with random weights of the shape; one JSON object of tokens per second
compare SETTINGS OURS… -- THEIRS…  medians of all runs, ratios and targets; THEIRS may be missing
"""
import json
import statistics
import sys
import time


def run(settings, device):
    import torch
    import transformers

    config = transformers.LlamaConfig(
        hidden_size=settings["hidden_size"],
        intermediate_size=settings["intermediate_size"],
        num_hidden_layers=settings["num_hidden_layers"],
        num_attention_heads=settings["num_attention_heads"],
        num_key_value_heads=settings["num_attention_heads"],
        vocab_size=settings["vocab_size"],
        max_position_embeddings=settings["max_position_embeddings"],
        attn_implementation="sdpa",
    )
    torch.manual_seed(1)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = transformers.LlamaForCausalLM(config).eval()
    model.generation_config.eos_token_id = None         # random weights end nowhere in particular
    model.generation_config.pad_token_id = 0

    def seconds(batch, length, tokens):
        ids = torch.randint(3, settings["vocab_size"], (batch, length), device=device)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens)
        assert out.shape[1] == length + tokens, out.shape
        out[0, -1].item()                               # a number on the host means that all before is done
        return time.perf_counter() - start

    def repeated(measure):
        measure()                                       # warms up
        return [measure() for _ in range(settings["repeats"])]

    prompt, depth, decode, sequences = (settings[name] for name in ("prompt", "depth", "decode", "sequences"))
    print(json.dumps({
        "library": f"transformers {transformers.__version__} on PyTorch {torch.__version__}",
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "prefill": repeated(lambda: prompt / seconds(1, prompt, 1)),
        "decode": repeated(lambda: decode / (seconds(1, depth, decode + 1) - seconds(1, depth, 1))),
        "concurrent": repeated(lambda: sequences * decode / (seconds(sequences, depth, decode + 1) - seconds(sequences, depth, 1))),
    }))


def compare(settings, ours, theirs):
    def median(runs, name):
        return statistics.median(speed for one in runs for speed in one[name])

    def verdict(ratio, target):
        return "met" if ratio >= target else "**not met**"

    print(f"{ours[0]['library']} on {ours[0]['device']}" + (f"; {theirs[0]['library']}, {theirs[0]['device']}" if theirs else ""))
    print("\n| row | measured | ratio | target | |\n| --- | --- | --- | --- | --- |")
    met = True
    for row, name, target in (("prefill", f"prompt of {settings['prompt']} tokens", 1.0), ("decode", f"one sequence behind {settings['depth']}", 1.3)):
        mine = median(ours, row)
        if theirs:
            other = median(theirs, row)
            met = met and mine / other >= target
            print(f"| {row} | {name}: ours {mine:.1f}, transformers {other:.1f} tokens/s | {mine / other:.2f} | {target} | {verdict(mine / other, target)} |")
        else:
            print(f"| {row} | {name}: ours {mine:.1f} tokens/s | | {target} | no peer |")
    one, many = median(ours, "decode"), median(ours, "concurrent")
    met = met and many / one >= 10
    beside = f", transformers {median(theirs, 'concurrent'):.1f}" if theirs else ""
    print(f"| concurrent | {settings['sequences']} sequences: ours {many:.1f} tokens/s{beside} | {many / one:.2f} × one | 10 | {verdict(many / one, 10)} |")
    bandwidth = statistics.median(run["copied_bytes_per_second"] for run in ours)
    read = one * ours[0]["weight_bytes"]
    print(f"\nDecoding one sequence reads {read / 1e9:.0f} GB/s of weights, {100 * read / bandwidth:.0f} % of the {bandwidth / 1e9:.0f} GB/s that copying reads and writes. "
          f"Loading took {statistics.median(run['load_seconds'] for run in ours):.1f} s.")
    return 0 if met and theirs else 1


def main(args):
    with open(args[1]) as file:
        settings = json.load(file)
    if args[0] == "run":
        return run(settings, args[2])
    split = args.index("--")
    ours, theirs = ([json.loads(open(path).read().strip().splitlines()[-1]) for path in paths] for paths in (args[2:split], args[split + 1:]))
    return compare(settings, ours, theirs)


sys.exit(main(sys.argv[1:]))
