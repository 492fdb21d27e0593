// One run of llama.cpp. Usage: llamacpp.mjs FILE THREADS p128 d16 …; prints {"p128": tokens/s, …}. A number behind d is what is cached before decoding.
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const [file, threads, ...rows] = process.argv.slice(2);
const decoded = 32, warmUp = 2000;                                          // ms, as for ours
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: Number(threads), progressLogs: false });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({ contextSize: 4608, batchSize: 512, threads: { ideal: Number(threads), min: Number(threads) } });
const sequence = context.getSequence();

let state = 1;
function ids(count) {
    return Array.from({ length: count }, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return 3 + Math.floor(state / 2 ** 32 * 30000);
    });
}

async function prefill(count) {
    await sequence.clearHistory();
    const start = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(ids(count));
    return count / (performance.now() - start) * 1000;
}

async function decode(depth) {
    await sequence.clearHistory();
    await sequence.evaluateWithoutGeneratingNewTokens(ids(depth));
    let start, count = 0;
    for await (const _ of sequence.evaluate(ids(1), { temperature: 0, yieldEogToken: true })) {
        start ??= performance.now();
        if (count++ === decoded) {
            break;
        }
    }

    return decoded / (performance.now() - start) * 1000;
}

const result = {};
for (const row of rows) {
    const run = () => (row[0] === "p" ? prefill : decode)(Number(row.slice(1)));
    const start = performance.now();
    do {
        await run();
    } while (performance.now() - start < warmUp);
    result[row] = await run();
}

console.log(JSON.stringify(result));
process.exit(0);
