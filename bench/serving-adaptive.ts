import pg from 'pg';
import {
  type ScriptedHammer,
  startScriptedHammer,
} from '../test/serving/support/scripted-hammer.js';
import { compare, type Row } from './harness.js';
import { inTurn } from './serving-figures.js';
import { startLoad } from './serving-load.js';
import type { Scale } from './serving-scale.js';
import { actingToolset, scriptedRequest } from './serving-scripted.js';
import { type System, tritonAt } from './serving-system.js';

const SERVICE_MS = 100;
const SLOTS = 8;
/** Those that come are more than the server takes: the queue holds them. */
const CLIENTS = 48;
/** A setting whose throughput is less than the best one's by no more than this is as good as that, and may wait less. */
const AS_GOOD = 0.97;

export const adaptiveToolset = actingToolset('adaptive');

interface Figures {
  /** Runs a second. */
  readonly speed: number;
  /** Milliseconds from a turn's claim to its answer; what a run waits before that is the queue's, whatever the setting. */
  readonly p99: number;
}

/** A worker that finds out how many requests its server takes, beside one that was told the best number. */
export async function adaptive(system: System, { rounds, seconds, fixed }: Scale): Promise<Row[]> {
  const server = await startScriptedHammer({ slots: SLOTS, serviceMs: SERVICE_MS });
  try {
    const round = async (concurrency: string): Promise<Figures> => {
      await system.replaceWorker(tritonAt([server], { WORKER_CONCURRENCY: concurrency }));
      return changingCapacity(system, server, seconds);
    };
    const tried = new Map<number, Figures>();
    for (const setting of fixed) tried.set(setting, await round(`${setting}`));
    const best = bestOf(tried);
    const product: Figures[] = [];
    const reference: Figures[] = [];
    for (let at = 0; at < rounds; at++) {
      product.push(await round('adaptive'));
      reference.push(await round(`${best}`));
    }
    const figures = (of: (figures: Figures) => number) => ({
      ...inTurn(product.map(of), reference.map(of)),
      ratio: (ours: number, theirs: number) => ours / theirs,
    });
    const name = `adaptive concurrency (reference: ${best}, the best of ${fixed.join(', ')})`;
    return [
      await compare(
        name,
        'runs/s',
        rounds,
        figures(({ speed }) => speed),
        { atLeast: 0.9 },
      ),
      await compare(
        '… from claim to answer, p99',
        'ms',
        rounds,
        figures(({ p99 }) => p99),
        {
          atMost: 1.5,
        },
      ),
    ];
  } finally {
    await server.stop();
  }
}

/** A third of the time with all slots, a third with half of them, a third with all again. */
async function changingCapacity(
  system: System,
  server: ScriptedHammer,
  seconds: number,
): Promise<Figures> {
  const ask = (): Promise<void> => system.run(scriptedRequest(adaptiveToolset.name));
  const warm = (SLOTS / SERVICE_MS) * 1e3;
  const load = startLoad(CLIENTS, ask);
  await load.further(warm);
  const before = load.answered;
  const start = performance.now();
  const began = new Date();
  for (const slots of [SLOTS, SLOTS / 2, SLOTS]) {
    server.set({ slots });
    await load.lasting(seconds / 3);
  }
  const speed = (load.answered - before) / ((performance.now() - start) / 1e3);
  await load.stop();
  return { speed, p99: await claimToAnswer(system, began) };
}

async function claimToAnswer(system: System, since: Date): Promise<number> {
  const client = new pg.Client(system.stack.postgres.url);
  await client.connect();
  try {
    const { rows } = await client.query<{ p99: number }>(
      `SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM r.at - c.at) * 1000)::float8 AS p99
       FROM events c JOIN events r ON r.run_id = c.run_id AND r.type = 'turn.resolved'
       WHERE c.type = 'turn.claimed' AND c.at >= $1`,
      [since],
    );
    return rows[0]?.p99 ?? NaN;
  } finally {
    await client.end();
  }
}

/** The smallest setting that is as good as the quickest. */
function bestOf(tried: ReadonlyMap<number, Figures>): number {
  const quickest = Math.max(...Array.from(tried.values(), ({ speed }) => speed));
  const good = [...tried].filter(([, { speed }]) => speed >= AS_GOOD * quickest);
  return Math.min(...good.map(([setting]) => setting));
}
