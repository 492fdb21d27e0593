#!/usr/bin/env bash
# Is our CPU engine faster than llama.cpp on the same files? See README.md. Exit code: 0 every target is met, 1 one is not, 2 the runs could not be made.
#   inference.sh [--runtime VERSION] [--large] [--repeat N] [ROW…]      a ROW is the beginning of a name in the table, such as prefill-q8_0; without one all are run
# LLAMA2_BENCH_MODELS names a folder for the models, which are made there once (6 GB; with --large 10 GB); the default is artifacts/bench.
# --runtime 11.0.0 runs our engine on that version of .NET, restored from the package source; the default is the one that runs "dotnet" here.
set -euo pipefail
name=inference
runtime=""
if [ "${1:-}" = --runtime ]; then
    runtime="${2:?inference.sh: --runtime needs a version of .NET, such as 11.0.0}"
    shift 2
fi
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"

models="${LLAMA2_BENCH_MODELS:-$root/artifacts/bench}"
mkdir -p "$models"
node inference.mjs "$cli" "$models" "$work" "$@"
