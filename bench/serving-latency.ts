import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { startScriptedHammer } from '../test/serving/support/scripted-hammer.js';
import { compare, measure, median, type Row } from './harness.js';
import { inTurn, taken } from './serving-figures.js';
import { openDirect } from './serving-direct.js';
import { startLoad, timesOf } from './serving-load.js';
import type { Scale } from './serving-scale.js';
import { actingToolset, SCRIPTED_QUERY, scriptedRequest } from './serving-scripted.js';
import { type System, tritonAt } from './serving-system.js';

/** What Postgres writes of its log at once. */
const BLOCK_BYTES = 8_192;

export const latencyToolset = actingToolset('latency');

/** One run after the other beside the model alone: what the way through the system adds. */
export async function latency(system: System, { rounds, timed }: Scale): Promise<Row[]> {
  const triton = await startScriptedHammer({ serviceMs: 20 });
  const direct = await openDirect(triton, latencyToolset);
  const through = () => system.run(scriptedRequest(latencyToolset.name));
  const directly = () => direct.ask(SCRIPTED_QUERY);
  const file = path.join(system.stack.folder, 'fdatasync');
  const figures = { through: [] as number[], directly: [] as number[], sync: [] as number[] };
  try {
    await system.replaceWorker(tritonAt([triton]));
    // A system that has just been started runs code that is not compiled yet: up to twice as slow.
    for (const ask of [through, directly]) {
      const load = startLoad(16, ask);
      await load.further(20 * timed);
      await load.stop();
    }
    for (let round = 0; round < rounds; round++) {
      figures.through.push(median(await timesOf(timed, through)));
      figures.directly.push(median(await timesOf(timed, directly)));
      figures.sync.push(median(fdatasyncTimes(file, timed)));
    }
  } finally {
    await direct.close();
    await triton.stop();
  }
  const beyond = figures.through.map(
    (ms, round) => ms - (figures.directly[round] ?? NaN) - 2 * (figures.sync[round] ?? NaN),
  );
  return [
    await measure(
      'fdatasync of 8 KiB where the ledger lies, p50',
      'ms',
      rounds,
      taken(figures.sync),
    ),
    await compare(
      'one run at a time, p50 (reference: the same prompt sent to Triton)',
      'ms',
      rounds,
      {
        ...inTurn(figures.through, figures.directly),
        ratio: (product, reference) => product / reference,
      },
    ),
    await measure('… the difference less two fdatasyncs', 'ms', rounds, taken(beyond), {
      atMost: 10,
    }),
  ];
}

/** Milliseconds of each. */
function fdatasyncTimes(file: string, times: number): number[] {
  const block = Buffer.alloc(BLOCK_BYTES, 1);
  const handle = openSync(file, 'w');
  try {
    return Array.from({ length: times }, () => {
      writeSync(handle, block, 0, block.length, 0);
      const start = performance.now();
      fdatasyncSync(handle);
      return performance.now() - start;
    });
  } finally {
    closeSync(handle);
  }
}
