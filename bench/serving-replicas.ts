import {
  type ScriptedHammer,
  startScriptedHammer,
} from '../test/serving/support/scripted-hammer.js';
import { compare, type Row } from './harness.js';
import { inTurn } from './serving-figures.js';
import { rateOf } from './serving-load.js';
import type { Scale } from './serving-scale.js';
import { actingToolset, scriptedRequest } from './serving-scripted.js';
import { type System, tritonAt } from './serving-system.js';

/** Five answers a second: eight servers of them are within what two cores do besides. */
const SLOTS = 2;
const SERVICE_MS = 400;
const PER_SECOND = (SLOTS / SERVICE_MS) * 1e3;
/** So that every replica has enough of them as its own. */
const TOOLSETS = 64;

export const replicaToolsets = Array.from({ length: TOOLSETS }, (_, at) =>
  actingToolset(`tools-${at}`),
);

/** More and more servers of the same speed, with one worker in front of them. */
export async function replicas(
  system: System,
  { rounds, seconds, replicas: counts }: Scale,
): Promise<Row[]> {
  const servers: ScriptedHammer[] = [];
  try {
    for (let at = 0; at < Math.max(...counts); at++) {
      servers.push(await startScriptedHammer({ slots: SLOTS, serviceMs: SERVICE_MS }));
    }
    const rate = async (count: number): Promise<number> => {
      await system.replaceWorker(tritonAt(servers.slice(0, count)));
      const answers = Math.round(PER_SECOND * count * seconds);
      return rateOf({
        clients: 4 * SLOTS * count,
        warm: Math.round(answers / 2),
        answers,
        ask: (index) => system.run(scriptedRequest(`tools-${index % TOOLSETS}`)),
      });
    };
    const rates = new Map<number, number[]>(counts.map((count) => [count, []]));
    for (let round = 0; round < rounds; round++) {
      for (const count of counts) rates.get(count)?.push(await rate(count));
    }
    const rows: Row[] = [];
    const one = rates.get(counts[0] ?? 1) ?? [];
    for (const count of counts.slice(1)) {
      const name = `${count} replicas (reference: ${count} times one)`;
      const work = {
        ...inTurn(
          rates.get(count) ?? [],
          one.map((figure) => figure * count),
        ),
        ratio: (product: number, reference: number) => product / reference,
      };
      rows.push(await compare(name, 'runs/s', rounds, work, { atLeast: 0.9 }));
    }
    return rows;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}
