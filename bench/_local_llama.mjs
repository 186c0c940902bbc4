// llama.cpp through its Node binding, at work on wishes that come as lines of JSON: `_local_llama.mjs GGUF THREADS`.
// Run it in a folder where node-llama-cpp is installed.
import {createInterface} from "node:readline";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";
import {join} from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const {getLlama} = await import(pathToFileURL(require.resolve("node-llama-cpp")));
const [path, threads] = [process.argv[2], Number(process.argv[3])];
const llama = await getLlama({gpu: false, build: "never", maxThreads: threads, logLevel: "error"});
const model = await llama.loadModel({modelPath: path, gpuLayers: 0});
const contexts = {};

async function context(sequences) {
    contexts[sequences] ??= await model.createContext({sequences, contextSize: 512, batchSize: 512, threads});
    return contexts[sequences];
}

const tokens = (count, seed) => Array.from({length: count}, (_, i) => 100 + ((i * 7919 + seed * 104729) % 39900));

async function generate(sequence, prompt, count) {
    await sequence.clearHistory();
    const times = [], began = performance.now();
    for await (const _ of sequence.evaluate(tokens(prompt, Math.floor(Math.random() * 1e6)), {temperature: 0})) {
        times.push((performance.now() - began) / 1000);
        if (times.length >= count) break;
    }
    return times;
}

// An answer that ends early is begun anew until there are enough of its gaps.
async function single({prompt, tokens: count}) {
    const own = await context(1), gaps = [];
    const sequence = own.getSequence();
    for (let tries = 0; gaps.length < count - 1 && tries < 20; tries++) {
        const times = await generate(sequence, prompt, count - gaps.length);
        for (let i = 1; i < times.length; i++) gaps.push(times[i] - times[i - 1]);
    }
    sequence.dispose();
    return {gaps};
}

async function rows({prompt, tokens: count, rows: number}) {
    const own = await context(number);
    const sequences = Array.from({length: number}, () => own.getSequence());
    const all = await Promise.all(sequences.map((sequence) => generate(sequence, prompt, count)));
    sequences.forEach((sequence) => sequence.dispose());
    const begin = Math.max(...all.map((times) => times[0])), end = Math.min(...all.map((times) => times.at(-1)));
    const made = all.flat().filter((at) => at > begin && at <= end).length;
    return {rate: end > begin ? made / (end - begin) : null};
}

async function prefill({prompt}) {
    const sequence = (await context(1)).getSequence();
    const times = await generate(sequence, prompt, 1);
    sequence.dispose();
    return {rate: prompt / times[0]};
}

console.log(JSON.stringify({ready: true}));
for await (const line of createInterface({input: process.stdin})) {
    const {do: what, ...wish} = JSON.parse(line);
    console.log(JSON.stringify(await {single, rows, prefill}[what](wish)));
}
process.exit(0);
