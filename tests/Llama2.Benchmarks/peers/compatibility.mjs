// Writes GGUF files with our command line, runs them in llama.cpp and in ours, and compares. Usage: compatibility.mjs Llama2.Cli.dll WORK STORIES
// Exit code: 0 every demand is met, 1 one is not, 2 the check could not run.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { text as readAll } from "node:stream/consumers";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const [cli, work, stories] = process.argv.slice(2);

const models = [
    { name: "grouped-query", vocabulary: 1024, synth: "--dim 128 --layers 3 --heads 8 --kv-heads 4 --vocab 1024 --seed 3" },
    { name: "multi-query", vocabulary: 1024, synth: "--dim 128 --layers 4 --heads 4 --kv-heads 1 --vocab 1024 --seed 7 --rope-theta 500000" },
    { name: "tied", vocabulary: 2048, synth: "--dim 32 --layers 24 --heads 4 --kv-heads 2 --vocab 2048 --seed 1 --tie" },
    { name: "wide", vocabulary: 1024, synth: "--dim 512 --layers 6 --heads 8 --kv-heads 4 --vocab 1024 --seed 5" },
    { name: "stories260K", vocabulary: 512, folder: stories },
];

// The largest error that the logits of a format may have: the root mean square of (theirs - ours) over that of ours around their mean.
// Beside F16 and BF16 ours multiplies by single-precision activations or, in the wide model, by integers of 16 bits; llama.cpp first rounds them to half precision and bfloat16. Beside Q8_0 and
// Q4_0 both round them to 8 bits in blocks of 32, ours with a scale in single precision, llama.cpp's in half precision, from activations that have
// already strayed. The limits are one and a half to three times the largest error seen (F32: 20 times).
const largestError = { f32: 1e-5, f16: 2e-3, bf16: 1e-2, q8_0: 3e-2, q4_0: 3e-2 };

// Two candidates whose logits are closer than the rounding may change places. A gap is the difference of two errors, so it strays by 1.4 root mean
// square errors; 6 are four of those. F32 and F16 are held to equality all the same: their errors are too small to meet a tie in these runs.
const nearTie = { f32: 0, f16: 0, bf16: 6, q8_0: 6, q4_0: 6 };

// Our perplexity over theirs on the ids that both are given, for a model that has learnt something: that of random weights is as large as it is arbitrary.
const largestPerplexityRatio = 0.005;
const percent = ratio => `${(100 * ratio).toFixed(2)} %`;

const newTokens = 48;
const mixedTokens = 256;
const prompts = ["abc", "hello world", "Once upon a time, there was a little girl"];

// Besides the prompts: runs of spaces, line ends, characters outside of the vocabulary, names of control tokens as plain text, many merges.
const texts = [...prompts, "", " ", "  two  spaces ", "a\nb\r\n\tc", "naïve café", "数学 🦙", "[INST] hi [/INST]", "x".repeat(100)];

/** Runs our command line; its standard output is JSON, line by line, and so is the input. */
async function ours(args, input = []) {
    const child = spawn("dotnet", [cli, ...args]);
    child.stdin.end(input.map(value => JSON.stringify(value) + "\n").join(""));
    const ended = new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
    const [output, error, code] = await Promise.all([readAll(child.stdout), readAll(child.stderr), ended]);
    if (code !== 0) {
        throw new Error(`llama2 ${args[0]}: ${error.trim()}`);
    }

    return output.split("\n").filter(line => line !== "").map(line => JSON.parse(line));
}

function write(model, format, file) {
    const args = model.folder === undefined ? ["synth", ...model.synth.split(" "), file] : ["quantize", model.folder, file];
    return ours([...args, "--format", format]);
}

/** Begin of text, then ids that no greedy text would choose, the same on every run (generator of Numerical Recipes). */
function mixedIds(vocabulary) {
    const ids = [1];
    for (let state = 1; ids.length < mixedTokens;) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        ids.push(3 + Math.floor(state / 2 ** 32 * (vocabulary - 3)));
    }

    return ids;
}

/** Greedy answers to the prompts, the ids of the texts, and the logits after every id of some sequences: the answers and mixed ids. */
async function runOurs(file, vocabulary) {
    const greedy = ["--do-sample", "false", "--ignore-eos", "true", "--max-new-tokens", `${newTokens}`, "--threads", "1", "--json"];
    const answers = await Promise.all(prompts.map(async prompt => (await ours(["generate", file, "--prompt", prompt, "--cache-format", "f32", ...greedy]))[0]));
    const tokens = (await ours(["tokenize", file], texts.map(text => ({ text })))).map(line => line.ids);
    const sequences = [...answers.map(answer => [...answer.prompt_ids, ...answer.ids]), mixedIds(vocabulary)];
    const logits = (await ours(["logits", file, "--threads", "1", "--cache-format", "f32"], sequences.map(ids => ({ input_ids: ids })))).map(line => line.logits);
    return { answers, tokens, sequences, logits };
}

/** The same from llama.cpp, for our prompt ids and our sequences. */
async function runTheirs(llama, file, mine) {
    const model = await llama.loadModel({ modelPath: file });
    try {
        const answers = [], logits = [];
        for (const { prompt_ids } of mine.answers) {
            answers.push(await inSequence(model, async sequence => {
                const ids = [];
                for await (const id of sequence.evaluate(prompt_ids, { temperature: 0, yieldEogToken: true })) {
                    if (ids.push(id) === newTokens) {
                        break;
                    }
                }

                return ids;
            }));
        }

        for (const ids of mine.sequences) {
            logits.push(await inSequence(model, async sequence => {
                const results = await sequence.controlledEvaluate(ids.map(id => [id, { generateNext: { logits: true } }]));
                return results.map(result => Float64Array.from({ length: result.next.logits.size }, (_, id) => result.next.logits.get(id)));
            }));
        }

        const { bos, eos } = model.tokens;
        return { beginAndEnd: [bos, eos], tokens: texts.map(text => model.tokenize(text, false)), answers, logits };
    } finally {
        await model.dispose();
    }
}

/** Keys and values are cached in single precision, as ours are: llama.cpp's default, half precision, is a setting of the run and not of the file. */
async function inSequence(model, run) {
    const cache = { experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32", flashAttention: false };
    const context = await model.createContext({ contextSize: 512, batchSize: 512, threads: 1, ...cache });
    try {
        return await run(context.getSequence());
    } finally {
        await context.dispose();
    }
}

const same = (some, others) => some.length === others.length && some.every((value, index) => value === others[index]);
const sum = values => values.reduce((total, value) => total + value, 0);
const indexOfMax = row => row.reduce((best, logit, id) => logit > row[best] ? id : best, 0);

/** The same ids into both: how far apart the logits are, and our gap between the two candidates wherever the best ones differ. */
function compareLogits(mine, theirs) {
    let squaredError = 0, squaredLogit = 0, count = 0, equal = 0;
    const gaps = [];
    mine.forEach((row, position) => {
        const other = theirs[position], mean = sum(row) / row.length;
        row.forEach((logit, id) => {
            squaredError += (other[id] - logit) ** 2;
            squaredLogit += (logit - mean) ** 2;
        });
        count += row.length;
        const best = indexOfMax(row), theirBest = indexOfMax(other);
        if (best === theirBest) {
            equal++;
        } else {
            gaps.push(row[best] - row[theirBest]);
        }
    });
    return { error: Math.sqrt(squaredError / count), relativeError: Math.sqrt(squaredError / squaredLogit), positions: mine.length, equal, gaps };
}

/** The perplexity of the sequences under logits that both got for the same ids. */
function perplexity(sequences, logits) {
    let total = 0, count = 0;
    sequences.forEach((ids, index) => ids.slice(1).forEach((id, position) => {
        const row = logits[index][position], largest = row.reduce((x, y) => Math.max(x, y));
        total += largest + Math.log(row.reduce((rest, logit) => rest + Math.exp(logit - largest), 0)) - row[id];
        count++;
    }));
    return Math.exp(total / count);
}

/** Each on its own from the same prompt: how many tokens are equal up to the first that is not, and our gap there. */
function compareAnswer(answer, theirs, logits) {
    const fork = answer.ids.findIndex((id, index) => id !== theirs[index]);
    if (fork < 0) {
        return { equal: newTokens, gaps: [] };
    }

    const row = logits[answer.prompt_ids.length + fork - 1];
    return { equal: fork, gaps: [row[answer.ids[fork]] - row[theirs[fork]]] };
}

function compare(model, format, mine, theirs) {
    const ids = mine.tokens.filter((tokens, index) => same(tokens, theirs.tokens[index])).length;
    const answers = mine.answers.map((answer, index) => compareAnswer(answer, theirs.answers[index], mine.logits[index]));
    const forced = compareLogits(mine.logits.flat(), theirs.logits.flat());
    const gaps = [...forced.gaps, ...answers.flatMap(answer => answer.gaps)];
    const ratio = perplexity(mine.sequences, mine.logits) / perplexity(mine.sequences, theirs.logits);
    const gap = Math.max(...gaps), limit = nearTie[format] * forced.error;

    const faults = [];
    const demand = (met, fault) => met || faults.push(fault);
    demand(same(theirs.beginAndEnd, [1, 2]), `begin and end of text are ${theirs.beginAndEnd}`);
    demand(ids === texts.length, "different ids");
    demand(forced.relativeError <= largestError[format], `error above ${largestError[format].toExponential()}`);
    demand(model.folder === undefined || Math.abs(ratio - 1) <= largestPerplexityRatio, `perplexity ${percent(ratio)} of theirs`);
    demand(gaps.length === 0 || gap <= limit, nearTie[format] === 0 ? "different tokens" : "not a near tie");
    return {
        faults,
        cells: [
            `${ids} of ${texts.length}`,
            `${sum(answers.map(answer => answer.equal))} of ${answers.length * newTokens}`,
            `${forced.equal} of ${forced.positions}`,
            forced.relativeError.toExponential(1),
            percent(ratio),
            gaps.length === 0 ? "none" : `${gap.toFixed(4)} of ${limit.toFixed(4)}`,
        ],
    };
}

async function check(llama, model, format) {
    let opened = "";
    try {
        const file = path.join(work, `${model.name}-${format}.gguf`);
        await write(model, format, file);
        const mine = await runOurs(file, model.vocabulary);
        opened = "no";
        const theirs = await runTheirs(llama, file, mine);
        const { faults, cells } = compare(model, format, mine, theirs);
        return { faults, cells: ["yes", ...cells] };
    } catch (error) {
        return { faults: [error.message.split("\n")[0]], cells: [opened, "", "", "", "", "", ""] };
    }
}

async function start() {
    try {
        return await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
    } catch (error) {
        console.error(`compatibility: cannot run: llama.cpp does not start: ${error.message.split("\n")[0]}`);
        process.exit(2);
    }
}

const widths = [13, 6, 6, 8, 10, 10, 7, 10, 16];
const print = cells => console.log(cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("  ").trimEnd());

const llama = await start();
const version = JSON.parse(readFileSync(new URL("package.json", import.meta.url))).dependencies["node-llama-cpp"];
console.log(`node-llama-cpp ${version} (its llama.cpp: ${llama.llamaCppRelease.release}), node ${process.version}, without GPU\n`);
print(["model", "format", "opened", "ids", "greedy", "forced", "error", "perplexity", "largest gap", "result"]);
let held = 0, checked = 0;
for (const model of models) {
    if (model.folder !== undefined && !existsSync(model.folder)) {
        print([model.name, "left out: the shared test data is not there"]);
        continue;
    }

    for (const format of Object.keys(largestError)) {
        const { faults, cells } = await check(llama, model, format);
        print([model.name, format, ...cells, faults.length === 0 ? "ok" : `FAILED: ${faults.join("; ")}`]);
        held += faults.length === 0 ? 1 : 0;
        checked++;
    }
}

console.log(`\n${held} of ${checked} files are the same model in llama.cpp.`);
process.exit(held === checked ? 0 : 1);
