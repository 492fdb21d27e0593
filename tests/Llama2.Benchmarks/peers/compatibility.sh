#!/usr/bin/env bash
# Are our GGUF files read by llama.cpp as we mean them? See README.md. Exit code: 0 yes, 1 no, 2 the check could not run.
set -euo pipefail
name=compatibility
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"

node compatibility.mjs "$cli" "$work" "${LLAMA2_TEST_DATA:-$root/../shared/data}/models/stories260K"
