// Runs our engine and llama.cpp in turn on the same files and prints a table of ratios. Usage: inference.mjs OUR-PROGRAM MODELS WORK [--large] [--repeat N] [ROW…]
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, readSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { text as readAll } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const [cli, models, work, ...args] = process.argv.slice(2);
const large = take("--large", false) ?? false, repeat = Number(take("--repeat", true) ?? 5);
const threads = 2, leastOfBandwidth = 0.85;
const shapes = {
    "1b": "--dim 2048 --layers 22 --heads 32 --kv-heads 4 --ffn 5632 --vocab 32000 --context 4608",
    "7b": "--dim 4096 --layers 32 --heads 32 --kv-heads 32 --ffn 11008 --vocab 32000 --context 4608",
};

// The rows that compare: what both are asked, and the least ratio of ours to theirs.
const comparisons = [
    ["prefill-q8_0-128", "1b", "q8_0", "p128", 2.5], ["prefill-q8_0-512", "1b", "q8_0", "p512", 2.5], ["decode-q8_0", "1b", "q8_0", "d16", 1.8],
    ["prefill-q4_0-128", "1b", "q4_0", "p128", 2.0], ["prefill-q4_0-512", "1b", "q4_0", "p512", 2.0], ["decode-q4_0", "1b", "q4_0", "d16", 1.8],
    ["prefill-f16-128", "1b", "f16", "p128", 1.8], ["prefill-f16-512", "1b", "f16", "p512", 1.8], ["decode-f16", "1b", "f16", "d16", 1.4],
    ["prefill-bf16-128", "1b", "bf16", "p128", 1.8], ["prefill-bf16-512", "1b", "bf16", "p512", 1.8],
    ["prefill-7b-q4_0", "7b", "q4_0", "p128", 2.0], ["decode-7b-q4_0", "7b", "q4_0", "d16", 1.8],
].map(([name, shape, format, what, target]) => ({ name, shape, format, what, target }));
const others = ["concurrent-q8_0", "second-turn", "beside", "memory-q8_0", "allocation", "convert-q8_0", "depth-7b-q8_0", "load-7b-q8_0"];
const names = [...comparisons.map(row => row.name), ...others].filter(name => large || !name.includes("7b"));
const unknown = args.find(arg => !names.some(name => name.startsWith(arg)));
if (unknown !== undefined || !Number.isInteger(repeat) || repeat < 1) {
    process.stderr.write(unknown === undefined ? "inference: --repeat needs a number from 1\n" : `inference: no row begins with "${unknown}"; there are ${names.join(", ")}${large ? "" : " (more with --large)"}\n`);
    process.exit(2);
}

const results = [], lines = [];
let engine;                                                                                     // the instruction set and the runtime of our runs
const asked = comparisons.filter(row => wanted(row.name));
for (const [shape, format] of [...new Set(asked.map(row => `${row.shape} ${row.format}`))].map(key => key.split(" "))) {
    const rows = asked.filter(row => row.shape === shape && row.format === format);
    await compare(await model(shape, format), rows);
}

if (wanted("concurrent-q8_0")) {
    const run = await ours(await model("1b", "q8_0"), ["--prompt", "16", "--depth", "16", "--batch", "1,8", "--repeat", `${repeat}`]);
    const [one, eight] = [1, 8].map(batch => run.rows.find(row => row.what === "decode" && row.batch === batch).tokens_per_second);
    add("concurrent-q8_0", `8 chats ${eight.toFixed(1)}, one ${one.toFixed(1)} tokens/s`, eight / one, 4);
}

if (wanted("second-turn")) {
    const run = await ours(await model("1b", "q8_0"), ["--prompt", "16", "--depth", "16", "--batch", "1", "--repeat", "1", "--second-turn", "1000"]);
    const most = 0.05 + run.second_turn_new_tokens_fraction;
    add("second-turn", `first token after ${percent(run.second_turn_fraction)} of the first turn's time; at most ${percent(most)}`, most / run.second_turn_fraction, 1);
}

if (wanted("beside")) {
    const run = await ours(await model("1b", "q8_0"), ["--prompt", "16", "--depth", "16", "--batch", "1", "--repeat", "1", "--beside", "2000"]);
    const [alone, beside, longest] = [run.between_tokens_ms, run.between_tokens_beside_prompt_ms, run.longest_between_tokens_beside_prompt_ms];
    add("beside", `between two tokens ${alone.toFixed(1)} ms, while 2000 tokens are read ${beside.toFixed(1)} ms (longest ${longest.toFixed(1)}); at most 3 times`, 3 * alone / beside, 1);
}

if (wanted("memory-q8_0") || wanted("allocation")) {
    const run = await ours(await model("1b", "q8_0"), ["--prompt", "512", "--depth", "16", "--batch", "1", "--repeat", "1"]);
    const most = run.weight_bytes + 300e6 + 2 * 512 * 22 * 4 * 64 * 2 * 2;                      // two caches
    add("memory-q8_0", `peak ${(run.peak_memory_bytes / 1e9).toFixed(2)} GB; at most ${(most / 1e9).toFixed(2)}`, most / run.peak_memory_bytes, 1);
    const [pass, token] = [run.allocated_bytes_per_pass, run.allocated_bytes_per_token];
    add("allocation", `${pass.toFixed(0)} managed bytes per forward pass of a token; ${token.toFixed(0)} with the engine and the caller's updates`, pass < 1 ? 1 : 0, 1);
}

if (wanted("convert-q8_0")) {
    const folder = await model("1b", "f16", ""), file = path.join(folder, "model.safetensors");
    const speeds = [], reads = [], shares = [];
    for (let i = 0; i < repeat; i++) {
        reads.push(read(file));                                                                 // also brings the file into the page cache
        const run = await ours(folder, ["--weight-format", "q8_0", "--prompt", "16", "--depth", "16", "--batch", "1", "--repeat", "1"]);
        speeds.push(statSync(file).size / run.load_seconds);
        shares.push(run.load_system_fraction);
    }

    const [load, most] = [median(speeds), median(reads)];
    add("convert-q8_0", `Hugging Face F16 to Q8_0 at ${(load / 1e9).toFixed(2)} GB/s; the page cache is read at ${(most / 1e9).toFixed(2)}; ` +
        `${percent(median(shares))} of the processor's time the system's, which clears new memory`, load / most, 0.6,
        { reach: load / most / median(shares) });                                               // a load that did nothing else
}

if (wanted("depth-7b-q8_0") || wanted("load-7b-q8_0")) {
    const file = await model("7b", "q8_0");
    read(file);                                                                                 // the page cache is to be warm
    const run = await ours(file, ["--prompt", "16", "--depth", "100,4000", "--batch", "1", "--repeat", "3"]);
    const [near, far] = [100, 4000].map(depth => run.rows.find(row => row.what === "decode" && row.tokens === depth).tokens_per_second);
    add("depth-7b-q8_0", `behind 4000 tokens ${far.toFixed(2)}, behind 100 ${near.toFixed(2)} tokens/s`, far / near, 0.7);
    add("load-7b-q8_0", `${run.load_to_first_token_seconds.toFixed(2)} s from the start to the first token of a 16-token prompt; at most 3; all packed after ${run.load_to_packed_seconds.toFixed(2)}, ${percent(run.load_to_packed_system_fraction)} of the processor's time the system's`, 3 / run.load_to_first_token_seconds, 1);
}

console.log(["", `ours: ${engine}`, "", "| row | measured | ratio | target | |", "| --- | --- | --- | --- | --- |", ...lines].join("\n"));
record(path.join(here, "inference.json"));
process.exit(results.every(row => row.met) ? 0 : 1);

/** Both engines in turn, so that a change of the machine meets both; medians. */
async function compare(file, rows) {
    const prompts = rows.filter(row => row.what[0] === "p").map(row => row.what.slice(1)).join(",") || "16";
    const runs = [];
    for (let i = 0; i < repeat; i++) {
        process.stderr.write(`${path.basename(file)}: ${i + 1} of ${repeat}\n`);
        const our = await ours(file, ["--prompt", prompts, "--depth", "16", "--batch", "1", "--repeat", "1"]);
        const their = JSON.parse(await output(process.execPath, [path.join(here, "llamacpp.mjs"), file, `${threads}`, ...rows.map(row => row.what)]));
        runs.push({ our, their });
    }

    for (const row of rows) {
        const find = run => run.our.rows.find(one => `${one.what[0]}${one.tokens}` === row.what);
        const our = median(runs.map(run => find(run).tokens_per_second)), their = median(runs.map(run => run.their[row.what]));
        const floor = median(runs.map(run => find(run).fraction_of_floor)), least = row.what[0] === "d" ? leastOfBandwidth : 0;
        const reach = least ? our / floor / their : Infinity;                                  // what the memory itself allows, for one token after another
        const measured = `ours ${our.toFixed(1)}, llama.cpp ${their.toFixed(1)} tokens/s; ours is ${percent(floor)} of the floor` +
            (least ? ` (${percent(least)} needed); reading at the bandwidth would be ${reach.toFixed(2)} times llama.cpp` : "");
        add(row.name, measured, our / their, row.target, { figures: { our, their, floor }, otherwise: floor >= least, reach });
    }
}

/** A GGUF file, or a Hugging Face folder if the extension is empty. */
async function model(shape, format, extension = ".gguf") {
    const file = path.join(models, `${shape}-${format}${extension}`), unfinished = `${file}.new${extension}`;
    if (!existsSync(file)) {
        process.stderr.write(`making ${file}\n`);
        rmSync(unfinished, { force: true, recursive: true });
        await output(...command("synth", unfinished, ...shapes[shape].split(" "), "--format", format));
        renameSync(unfinished, file);
    }

    return file;
}

// Our command line: a program of its own, or one that "dotnet" runs.
function command(...args) {
    return cli.endsWith(".dll") ? ["dotnet", [cli, ...args]] : [cli, args];
}

async function ours(file, options) {
    const run = JSON.parse(await output(...command("bench", file, "--json", "--threads", `${threads}`, ...options)));
    engine = `${run.kernels}, ${run.runtime}`;
    return run;
}

async function output(program, programArgs) {
    const child = spawn(program, programArgs, { stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
    const [text, errors, code] = await Promise.all([readAll(child.stdout), readAll(child.stderr), ended]);
    if (code !== 0) {
        process.stderr.write(`inference: cannot run: ${path.basename(program)} ${programArgs.slice(0, 2).join(" ")}: ${errors.trim()}\n`);
        process.exit(2);
    }

    return text;
}

/** Bytes a second at which this process reads a file that has just been read. */
function read(file) {
    const descriptor = openSync(file), chunk = Buffer.alloc(1 << 22);
    let best = 0;
    for (let round = 0; round < 2; round++) {
        const start = performance.now();
        let bytes = 0;
        for (let count; (count = readSync(descriptor, chunk, 0, chunk.length, bytes)) > 0; bytes += count);
        best = Math.max(best, bytes / (performance.now() - start) * 1000);
    }

    closeSync(descriptor);
    return best;
}

/** A row: met if the ratio is the target's and what else is demanded holds; "reach" is the ratio that this machine's memory allows, whatever the program. */
function add(name, measured, ratio, target, { figures = {}, otherwise = true, reach = Infinity } = {}) {
    const met = ratio >= target && otherwise;
    results.push({ name, measured, ratio, target, met, ...figures });
    lines.push(`| ${name} | ${measured} | ${ratio.toFixed(2)} | ${target} | ${met ? "met" : reach < target ? "**not met**, beyond this memory" : "**not met**"} |`);
    process.stderr.write(`${lines.at(-1)}\n`);
}

/** Rows that were not run keep what they last had. */
function record(file) {
    const date = new Date().toISOString().slice(0, 10), rows = new Map(existsSync(file) ? JSON.parse(readFileSync(file)).map(row => [row.name, row]) : []);
    results.forEach(row => rows.set(row.name, { date, engine, threads, repeat, ...row }));
    writeFileSync(file, JSON.stringify([...rows.values()], null, 2) + "\n");
}

function median(values) {
    return values.toSorted((x, y) => x - y)[values.length >> 1];
}

function percent(value) {
    return `${(100 * value).toFixed(1)} %`;
}

function wanted(name) {
    return names.includes(name) && (args.length === 0 || args.some(prefix => name.startsWith(prefix)));
}

function take(name, hasValue) {
    const index = args.indexOf(name);
    return index < 0 ? undefined : hasValue ? args.splice(index, 2)[1] : args.splice(index, 1).length === 1;
}
