#!/usr/bin/env bash
# Are our GGUF files read by llama.cpp as we mean them? See README.md. Exit code: 0 yes, 1 no, 2 the check could not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root="$(cd ../../.. && pwd)"

cannot() { printf 'compatibility: cannot run: %s\n' "$1" >&2; exit 2; }

for tool in dotnet node npm; do
    command -v "$tool" > /dev/null || cannot "$tool is not installed."
done
[ "$(node -p 'parseInt(process.versions.node) >= 20')" = true ] || cannot "node 20 or later is needed; this is $(node --version)."
[ "$(uname -sm)" = "Linux x86_64" ] || cannot "the pinned llama.cpp is for Linux on x64; this is $(uname -sm)."

# Without the optional packages, which are llama.cpp for other systems and for GPUs; without scripts, since nothing is to be compiled here.
# "install" heeds the lock file as "ci" does, but "ci" refuses where a package source lacks one of those optional packages.
npm install --no-save --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null ||
    cannot "npm could not install node-llama-cpp as package-lock.json pins it."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en
if ! dotnet build "$root/src/Llama2.Cli" -c Release --nologo -v quiet > "$work/build.log"; then
    cat "$work/build.log" >&2
    cannot "the command line does not build."
fi

node compatibility.mjs "$root/artifacts/bin/Llama2.Cli/release/Llama2.Cli.dll" "$work" "${LLAMA2_TEST_DATA:-$root/../shared/data}/models/stories260K"
