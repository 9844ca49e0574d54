import { TERMINAL_RUN_STATES } from '#libs/contracts';
import type { Acceptance, NewRun } from '../../../libs/runs/src/ledger/accept-runs.js';
import { argumentsHash, type RunInput } from '../../../libs/runs/src/reducer/index.js';
import type { RunRow } from '../memory-database.js';
import type { Fleet } from './fleet.js';
import type { World } from './world.js';

export const LONGEST_RUN_MS = 40_000;
const ASK_AGAIN_MS = 2_000;
const LOOK_EVERY_MS = 1_000;
const BODY_HASH = Buffer.from('body');
const noAnswer = (): void => undefined;

/** A client that asks for one run, at whichever gateway, until it has an answer. @returns whether it has one */
export function askFor(world: World, fleet: Fleet, key: string): () => boolean {
  let runId: string | undefined;
  const hear = (asked: string, acceptance: Acceptance): void => {
    if (acceptance.kind === 'conflict') return world.checker.note(`${key} is refused`);
    const id = acceptance.kind === 'replayed' ? acceptance.runId : asked;
    if (runId !== undefined && runId !== id) world.checker.note(`${key} is two runs`);
    runId = id;
  };
  const ask = (): void => {
    if (runId !== undefined) return;
    fleet.ask((engine) => {
      const run = newRun(world, key);
      // Where the ledger is away the client asks again.
      void engine.accept(run).then((acceptance) => hear(run.id, acceptance), noAnswer);
    });
    world.scheduler.after(ASK_AGAIN_MS, ask);
  };
  ask();
  return () => runId !== undefined;
}

function newRun(world: World, key: string): NewRun {
  const { random } = world;
  return {
    id: world.newId(),
    tenantId: 'tenant',
    mode: random() < 0.9 ? 'execute' : 'resolve',
    until: random() < 0.5 ? 'answer' : 'calls',
    budget: { turns: 3, calls: 8, tokens: 1_000 },
    mask: 'auto',
    priority: 0,
    cost: 1,
    traceparent: '',
    expiresInS: 5 + random() * (LONGEST_RUN_MS / 1_000 - 5),
    toolset: { name: 'tools', hash: 'hash', body: {} },
    messages: [],
    idempotency: { key, bodyHash: BODY_HASH },
  };
}

/** People who look at the open runs: they cancel, approve, deny, and decide what is unknown, or have it made again. */
export function lookAround(world: World, fleet: Fleet): void {
  const { random } = world;
  for (const { run, calls } of world.db.rows.values()) {
    if (TERMINAL_RUN_STATES.has(run.state)) continue;
    const inputs = calls.map((call) => decide(world, call));
    if (random() < 0.01) inputs.push({ type: 'run.cancel', by: 'person' });
    for (const input of inputs) {
      if (input) fleet.ask((engine) => void engine.apply(run.id, input));
    }
  }
  world.scheduler.after(LOOK_EVERY_MS, () => lookAround(world, fleet));
}

function decide({ random, tools }: World, call: RunRow['calls'][number]): RunInput | undefined {
  const { id: callId, state } = call;
  const fate = random();
  const by = 'person';
  if (state === 'awaiting_approval' && fate < 0.4) {
    const type = fate < 0.3 ? 'call.approve' : 'call.deny';
    return { type, callId, by, argumentsHash: argumentsHash(call) };
  }
  if (state !== 'outcome_unknown' || fate > 0.2) return undefined;
  if (fate < 0.1) return { type: 'call.decide', callId, by, decision: { state: 'retry' } };
  const decision =
    tools.effectsOf(callId) > 0
      ? ({ state: 'succeeded', result: { found: true } } as const)
      : ({ state: 'failed' } as const);
  return { type: 'call.decide', callId, by, decision };
}
