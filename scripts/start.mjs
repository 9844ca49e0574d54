import path from 'node:path';
import { awaitModel } from './await-model.mjs';
import { build } from './build.mjs';
import { checkWorker } from './check-worker.mjs';
import { chooseModel } from './choose-model.mjs';
import { describe, Failure } from './failure.mjs';
import { HELP, parseFlags } from './flags.mjs';
import { checkPlatform, checkPort, thisPlatform } from './platform.mjs';
import { processStatus } from './proc.mjs';
import { chooseRequests } from './requests.mjs';
import { startServices } from './services.mjs';
import { setup } from './setup.mjs';
import { openState } from './state.mjs';
import { outcomeOf, summary, tellStory } from './story.mjs';
import { createSupervisor } from './supervisor.mjs';
import { bold, duration, megabytes, print, yellow } from './terminal.mjs';

/** npm hands on the terminal's Ctrl-C a second time: a signal so soon is the same one. */
const SAME_SIGNAL_MS = 1000;
const INTERRUPTED = 130;
/** With --once nobody may be there who could start the model meanwhile. */
const MODEL_WITHIN_ONCE_MS = 120_000;
/** Models may come uncalibrated: none of their answers is sure enough to execute more than `read`. */
const HELD_BACK = `Some calls were chosen as expected but held back: the model's confidence is not above its threshold, so only \`read\`
tools execute. A model that is not calibrated has the threshold 1. Measure yours, then set it: \`hammerline models add\` or
\`pull … --threshold\`, or confidenceThreshold in its card (docs/models.md).`;

const stopping = new AbortController();
const supervisor = createSupervisor((line) => print(yellow(line)));
/** @type {(() => void) | undefined} */
let release;

listenForStop();
process.exitCode = await main().catch((error) => {
  if (stopping.signal.aborted) return INTERRUPTED;
  const text = describe(error);
  // A program of ours has named itself already.
  const named = text.startsWith('hammerline') || !(error instanceof Failure);
  console.error(named ? text : `hammerline: ${text}`);
  return 1;
});
await supervisor.stop();
release?.();
// Whatever might still hold the process open has nothing left to do.
process.stdout.write('', () => process.exit());

async function main() {
  const flags = parseFlags(process.argv.slice(2), process.env);
  if (flags.help) {
    print(HELP);
    return 0;
  }
  const { signal } = stopping;
  const host = process.env.HOST || '127.0.0.1';
  checkPlatform(thisPlatform());
  const sample = chooseRequests(flags);
  const model = chooseModel(flags.runtime);
  const state = openState();
  release = state.release;
  await checkPort(host, flags.port);

  print(`Model: ${model.text}.`);
  await setup(model, signal);
  await build(signal);
  await checkWorker(model, signal);
  const began = performance.now();
  const { url, workers, awaits } = await startServices({
    state,
    supervisor,
    toolsets: sample.toolsets,
    port: flags.port,
    workers: flags.workers,
    model,
    signal,
  });
  await awaitModel(workers, signal, {
    awaits,
    ...(flags.once && { withinMs: MODEL_WITHIN_ONCE_MS }),
  });
  print(bold(`Ready after ${duration(performance.now() - began)}: ${url}`));

  const ended = await tellStory({ url, key: state.apiKey, signal }, sample.requests);
  print();
  print(`Memory: ${memoryText()}`);
  const outcome = outcomeOf(ended);
  if (outcome === 'held_back') print(yellow(HELD_BACK));
  if (flags.once) {
    const line = JSON.stringify(summary(ended, sample.httpTools));
    await supervisor.stop();
    print(line);
    return outcome === 'failed' ? 1 : 0;
  }
  if (outcome === 'failed') print(yellow('Not every request ended as expected.'));
  print(waysIn(url, state.apiKey, path.relative(process.cwd(), state.folder)));
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  return 0;
}

function memoryText() {
  const all = supervisor.memory();
  return all.map(({ name, bytes }) => `${name} ${megabytes(bytes)}`).join(', ');
}

/**
 * @param {string} url
 * @param {string} key
 * @param {string} folder
 */
function waysIn(url, key, folder) {
  const body = { query: 'What is the mean revenue in the sales table?', toolset: 'office' };
  return `
  ${bold('page')}    ${url}/?key=${key}
  ${bold('API')}     ${url}/docs
  ${bold('queues')}  ${url}/queues
  ${bold('logs')}    ${path.join(folder, 'logs')}

  curl -s ${url}/v1/runs -H 'Authorization: Bearer ${key}' -H 'Prefer: wait=20' \\
    -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'

Ctrl-C stops everything.`;
}

function listenForStop() {
  let first = 0;
  const stop = () => {
    if (!stopping.signal.aborted) {
      first = performance.now();
      print('\nStopping …');
      stopping.abort();
    } else if (performance.now() - first > SAME_SIGNAL_MS) {
      supervisor.kill();
      release?.();
      process.exit(INTERRUPTED);
    }
  };
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, stop);
  }
  // Nobody reads any more: `npm start | head`.
  process.stdout.on('error', stop);
  if (process.env.npm_lifecycle_event === 'start') {
    // A killed npm cannot tell: being handed to another parent is the only sign.
    const parents = npmAbove();
    const timer = setInterval(() => {
      if (npmAbove() === parents) return;
      // Once: a second time would be an order to hurry.
      clearInterval(timer);
      stop();
    }, 1000).unref();
  }
}

/** The processes between npm and this one: npm itself, or a shell that it runs scripts with. */
function npmAbove() {
  try {
    const { name, parent } = processStatus(process.ppid);
    return name.endsWith('sh') ? `${process.ppid} ${parent}` : String(process.ppid);
  } catch {
    return ''; // gone
  }
}
