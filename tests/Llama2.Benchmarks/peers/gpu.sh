#!/usr/bin/env bash
# Is the backend on TorchSharp faster than Hugging Face transformers on the same GPU? See README.md.
#   gpu.sh [--runs N]         the 7 B shape in BF16 on CUDA, three runs of each in turns
#   gpu.sh --device cpu       a tiny shape on the CPU: says only that the script works
# Exit code: 0 every target is met, 1 one is not, 2 the runs could not be made, with the reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root="$(cd ../../.. && pwd)"
device=cuda
runs=3

cannot() { printf 'gpu: cannot run: %s\n' "$1" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case "$1" in
        --runs) runs="${2:-}"; shift 2 || cannot "--runs takes a number." ;;
        --device) device="${2:-}"; shift 2 || cannot "--device takes cuda or cpu." ;;
        *) cannot "there is no argument '$1'." ;;
    esac
done
[[ "$runs" =~ ^[1-9][0-9]*$ ]] || cannot "--runs takes a number of at least 1."

case "$device" in
    cuda) torch=cuda settings="$PWD/gpu.json" ;;
    cpu) torch=cpu settings="$PWD/gpu-smoke.json" ;;
    *) cannot "--device is cuda or cpu." ;;
esac
if [ "$device" = cuda ]; then
    command -v nvidia-smi > /dev/null && nvidia-smi -L 2> /dev/null | grep -q '^GPU' || cannot "there is no NVIDIA GPU here (nvidia-smi lists none)."
fi
command -v dotnet > /dev/null || cannot "dotnet is not installed."
python="${PYTHON:-python3}"
command -v "$python" > /dev/null || cannot "python3 is not installed."
peer=yes
if [ "$device" = cuda ]; then
    "$python" -c 'import torch, transformers, sys; sys.exit(not torch.cuda.is_available())' 2> /dev/null ||
        cannot "$python has no transformers with a PyTorch that sees the GPU: pip install torch transformers, or name another one in PYTHON."
elif ! "$python" -c 'import torch, transformers' 2> /dev/null; then
    peer=no
    echo "$python has no transformers with PyTorch; ours runs alone."
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en
if ! dotnet build "$root/tests/Llama2.Benchmarks" -c Release --nologo -v quiet -m:1 "-p:Torch=$torch" "-p:ArtifactsPath=$root/artifacts/torch-$torch" > "$work/build.log"; then
    cat "$work/build.log" >&2
    cannot "Llama2.Benchmarks does not build with -p:Torch=$torch; the packages of libtorch have to be there."
fi

ours_files=() peer_files=()
for run in $(seq "$runs"); do                  # in turns, so that a slow minute of the machine hits both
    dotnet "$root/artifacts/torch-$torch/bin/Llama2.Benchmarks/release/Llama2.Benchmarks.dll" torch "$settings" "$device" > "$work/ours-$run.json" ||
        cannot "our side failed."
    ours_files+=("$work/ours-$run.json")
    if [ "$peer" = yes ]; then
        "$python" gpu.py run "$settings" "$device" > "$work/peer-$run.json" || cannot "the side of transformers failed."
        peer_files+=("$work/peer-$run.json")
    fi
done
"$python" gpu.py compare "$settings" "${ours_files[@]}" -- ${peer_files[@]+"${peer_files[@]}"} || [ "$device" = cpu ]      # targets are for GPUs
