#!/usr/bin/env bash
# Training speed beside PyTorch's, with the same weights and tokens. See README.md.
# Usage: training-speed.sh [RUNS [THREADS]]; by default 3 runs of each, one thread per processor.
# Exit code: 0 the two compute the same, 1 they do not, 2 the comparison could not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root="$(cd ../../.. && pwd)"
settings="${LLAMA2_TRAINING_SETTINGS:-$PWD/training-speed.json}"
runs="${1:-3}"
threads="${2:-$(getconf _NPROCESSORS_ONLN)}"

cannot() { printf 'training-speed: cannot run: %s\n' "$1" >&2; exit 2; }

command -v dotnet > /dev/null || cannot "dotnet is not installed."
python=""
for candidate in "${PYTHON:-}" /usr/bin/python3 python3; do
    if [ -n "$candidate" ] && command -v "$candidate" > /dev/null && "$candidate" -c 'import torch' 2> /dev/null; then
        python="$candidate"
        break
    fi
done
[ -n "$python" ] || cannot "no python3 here has PyTorch; on Debian: apt-get install python3-torch libopenblas0-pthread"

# A kernel that the environment chose may be slower for this processor than the one OpenBLAS chooses itself, and the other way round.
# PyTorch gets whichever multiplies faster.
read -r speed blas < <(env -u OPENBLAS_CORETYPE "$python" training_speed.py probe "$threads")
choice=(env -u OPENBLAS_CORETYPE)
if [ -n "${OPENBLAS_CORETYPE:-}" ]; then
    read -r named_speed named_blas < <("$python" training_speed.py probe "$threads")
    printf 'OpenBLAS: %s GFLOPS by its own choice (%s), %s with OPENBLAS_CORETYPE=%s (%s)\n' \
        "$speed" "${blas##*kernel }" "$named_speed" "$OPENBLAS_CORETYPE" "${named_blas##*kernel }"
    if [ "$named_speed" -gt "$speed" ]; then
        choice=(env)
        speed="$named_speed" blas="$named_blas"
    fi
fi
case "$blas" in
    */blas/libblas.so*) cannot "PyTorch would call the reference BLAS ($blas), many times slower than it can be; on Debian: apt-get install libopenblas0-pthread" ;;
esac

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en
if ! dotnet build "$root/tests/Llama2.Benchmarks" -c Release --nologo -v quiet > "$work/build.log"; then
    cat "$work/build.log" >&2
    cannot "Llama2.Benchmarks does not build."
fi
ours="$root/artifacts/bin/Llama2.Benchmarks/release/Llama2.Benchmarks.dll"
dotnet "$ours" training prepare "$settings" "$work"

choice+=(MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=68719476736)       # keep freed memory: PyTorch frees and takes large arrays in every step
ours_files=() torch_files=()
for run in $(seq "$runs"); do                  # alternating, so that a slow minute of the machine hits both
    dotnet "$ours" training run "$settings" "$work" "$threads" > "$work/ours-$run.jsonl"
    "${choice[@]}" OMP_NUM_THREADS="$threads" "$python" training_speed.py run "$settings" "$work" "$threads" > "$work/torch-$run.jsonl" 2> "$work/torch.txt"
    ours_files+=("$work/ours-$run.jsonl") torch_files+=("$work/torch-$run.jsonl")
done

printf '%s threads; %s; a product of 1024 at %s GFLOPS\n\n' "$threads" "$(tail -n 1 "$work/torch.txt")" "$speed"
"$python" training_speed.py compare "$settings" "${ours_files[@]}" -- "${torch_files[@]}"
