import type { CallResult } from '#libs/contracts';
import type { PlannedCall, RunInput, RunRecord } from '../../../libs/runs/src/reducer/index.js';
import type { RunEngine } from '../../../libs/runs/src/run-engine.js';
import type { SimulatedProcess } from './process.js';
import type { World } from './world.js';

const SWEEP_EVERY_MS = 1_000;
const BATCH = 1_000;
const EFFECTS = ['read', 'idempotent', 'once', 'once'] as const;

/** A process, and the engine in it. */
export interface Actor {
  world: World;
  process: SimulatedProcess;
  engine: RunEngine;
}

/** As the worker's take-turn.ts does it. */
export async function takeTurn(actor: Actor, runId: string): Promise<void> {
  if (!actor.process.isFresh()) return;
  const token = actor.world.newId();
  await actor.process.workOn(token, () => workOnTurn(actor, runId, token));
}

async function workOnTurn(actor: Actor, runId: string, token: string): Promise<void> {
  const { process, engine, world } = actor;
  const { random } = world;
  const claimed = await engine.claimTurn({ runId, token, holder: process.epoch });
  if (claimed.refused) return;
  const { run } = claimed;
  await process.sleep(random() * 1_500);
  const error = { code: 'model_failed', message: '' } as const;
  const fate = random();
  const input: RunInput =
    fate < 0.06
      ? { type: 'turn.delay', token, error, dueInMs: random() * 2_000 }
      : fate < 0.12
        ? { type: 'turn.fail', token, error, retryable: true }
        : { type: 'turn.resolve', token, ...answerOf(world, run) };
  await engine.apply(runId, input, run);
}

function answerOf(world: World, run: RunRecord) {
  const { random } = world;
  const heard = {
    model: `attempt ${run.attempt}`,
    confidence: 0.9,
    confidenceThreshold: 0.5,
    tokens: 10,
  };
  if (run.turn > 1 && random() < 0.5) {
    return { ...heard, answer: { outcome: 'answer' as const, text: '' } };
  }
  const calls = Array.from({ length: 1 + Math.floor(random() * 3) }, (): PlannedCall => {
    const call: PlannedCall = {
      id: world.newId(),
      name: 'tool',
      arguments: {},
      effect: world.pick(EFFECTS) ?? 'once',
      approval: random() < 0.25 ? 'always' : 'never',
      hasProbe: random() < 0.5,
    };
    world.planned(call);
    return call;
  });
  return { ...heard, answer: { outcome: 'calls' as const, calls } };
}

/** As the executor's take-call.ts does it. */
export async function takeCall(actor: Actor, runId: string, callId: string): Promise<void> {
  if (!actor.process.isFresh()) return;
  const token = actor.world.newId();
  await actor.process.workOn(token, () => workOnCall(actor, runId, callId, token));
}

async function workOnCall(
  actor: Actor,
  runId: string,
  callId: string,
  token: string,
): Promise<void> {
  const { process, engine, world } = actor;
  const { tools, random } = world;
  const holder = process.epoch;
  const claimed = await engine.apply(runId, { type: 'call.claim', callId, holder, token });
  if (claimed.refused) return;
  const { run } = claimed;
  const call = run.calls.find(({ id }) => id === callId);
  if (call?.state === 'outcome_unknown') {
    if (!call.hasProbe || !call.due) return;
    await process.sleep(random() * 300);
    const found = tools.find(callId)
      ? { state: 'succeeded' as const, result: { found: true } }
      : { state: 'absent' as const };
    await engine.apply(runId, { type: 'call.probe', callId, found }, run);
    return;
  }
  if (call?.token !== token) return;
  // That may take long, and the process be called dead meanwhile.
  await engine.ledger.toolset(run.toolsetHash);
  if (random() < 0.3) await process.sleep(random() * 9_000);
  if (!process.isHeld(holder)) {
    await engine.apply(runId, { type: 'call.release', callId, token }, run);
    return;
  }
  // From the look at the lease to the first byte nothing can come between here: in a real process a stop can.
  const result: CallResult = await tools.make(process, runId, call);
  await engine.apply(runId, { type: 'call.settle', callId, token, result }, run);
}

/** As dispatch/sweep.ts does it. */
export async function sweepOften({ world, process, engine }: Actor): Promise<never> {
  for (;;) {
    await process.sleep(SWEEP_EVERY_MS * (1 + world.random() / 4));
    if (!process.mayJudge()) continue;
    try {
      const number = await process.ask(() => world.db.takeSweep(SWEEP_EVERY_MS * 0.9));
      if (number !== undefined) await sweep(engine, world, number);
    } catch {
      // The ledger is away: the next one looks again.
    }
  }
}

async function sweep(engine: RunEngine, { db }: World, number: number): Promise<void> {
  const { ledger } = engine;
  const overdue = await ledger.findOverdue(BATCH);
  await Promise.all(overdue.map((runId) => engine.apply(runId, { type: 'run.expire' })));
  const hasDead = [...db.seenAt.keys()].some((epoch) => !db.isAlive(epoch));
  if (number % 30 === 1 || hasDead) await engine.offerAgain(await ledger.findAbandoned(BATCH));
  await engine.offerAgain((await ledger.findReady(undefined, BATCH)).work);
}
