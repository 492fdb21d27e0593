# Sourced by the comparisons with llama.cpp after they have set "name": installs the pinned peer, builds our command line, and sets root, cli and work.
# Where "runtime" names a version of .NET, that one is restored and runs the command line.
cd "$(dirname "${BASH_SOURCE[0]}")"
root="$(cd ../../.. && pwd)"
cli="$root/artifacts/bin/Llama2.Cli/release/Llama2.Cli.dll"

cannot() { printf '%s: cannot run: %s\n' "$name" "$1" >&2; exit 2; }

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
built=(dotnet build "$root/src/Llama2.Cli" -c Release)
if [ -n "${runtime:-}" ]; then
    cli="$root/artifacts/dotnet-$runtime/Llama2.Cli"
    built=(dotnet publish "$root/src/Llama2.Cli" -c Release -r linux-x64 --self-contained "-p:RuntimeFrameworkVersion=$runtime"
        "-p:ArtifactsPath=$root/artifacts/dotnet-$runtime/build" -o "${cli%/*}")
fi
if ! "${built[@]}" --nologo -v quiet > "$work/build.log"; then
    cat "$work/build.log" >&2
    cannot "the command line does not build${runtime:+ for .NET $runtime}."
fi
