import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { HammerlineError, type MaskMode, type ResolvedCall } from '#libs/contracts';
import { maskKey } from '#libs/masking';
import type { ModelCard } from '#libs/models';
import type {
  ClaimedTurn,
  EarlierCall,
  Halts,
  PlannedCall,
  RunInput,
  RunRecord,
  Runs,
} from '#libs/runs';
import { ATTR, type Logger } from '#libs/telemetry';
import type { Toolset } from '#libs/tools';
import { compileToolset, type CompiledToolset } from '#libs/turn';
import { trace } from '@opentelemetry/api';
import { LRUCache } from 'lru-cache';
import { v7 as uuidv7 } from 'uuid';
import { AWAY } from './feed/breaker.js';
import type { ModelFeed } from './feed/model-feed.js';
import { resolveTurn } from './resolve-turn.js';
import { writeConversation } from './write-conversation.js';

/** How long a turn rests that is handed back: each time twice as long, and by chance up to half as much more or less. */
const FIRST_REST_MS = 500;
const LONGEST_REST_MS = 30_000;

/**
 * Makes the function that does the turn a hint tells of, if it is still to be done: the ledger decides that. A turn that
 * meets a model that is away, or has too much to do, goes back to the queue and loses no try. The request of a run that is
 * halted ends at the model, and its turn is dropped.
 *
 * It resolves with the tokens that the turn took, where it was answered.
 */
export function createTurnTaker(deps: {
  runs: Runs;
  model: ModelFeed;
  halts: Pick<Halts, 'watch'>;
  log: Logger;
}): (hint: { runId: string }) => Promise<number | void> {
  const { runs, model, halts, log } = deps;
  const { engine, epoch } = runs;
  const compiled = new LRUCache<string, { toolset: Toolset; ready: CompiledToolset }>({ max: 64 });

  const toolsetOf = async (run: RunRecord, { flavour, maxCalls, maskTrained }: ModelCard) => {
    const masked = isMasked(run.mask, maskTrained);
    const key = [run.tenantId, run.toolsetHash, masked, flavour, maxCalls].join('/');
    let entry = compiled.get(key);
    if (!entry) {
      const toolset = (await runs.engine.ledger.toolset(run.toolsetHash)) as Toolset;
      const ready = compileToolset(toolset.tools, {
        flavour,
        maxCalls,
        mask: masked ? { key: maskKey(run.tenantId, run.toolsetHash) } : undefined,
      });
      entry = { toolset, ready };
      compiled.set(key, entry);
    }
    return entry;
  };

  const resolve = async (claimed: ClaimedTurn, token: string, signal: AbortSignal) => {
    const { run } = claimed;
    // Once: the server may come back with another card while it is asked.
    const { card } = model;
    const { toolset, ready } = await toolsetOf(run, card);
    const { answer, confidence, tokens } = await resolveTurn(model, {
      toolset: ready,
      messages: writeConversation(claimed),
      until: run.until,
      hasCalled: run.turn > 1,
      signal,
    });
    const { name, confidenceThreshold } = card;
    const isCalls = answer.outcome === 'calls';
    return {
      type: 'turn.resolve',
      token,
      model: name,
      confidence,
      confidenceThreshold,
      tokens,
      answer: isCalls ? plan(answer.calls, toolset, claimed.earlier) : answer,
    } satisfies RunInput;
  };

  const take = async (runId: string, signal: AbortSignal): Promise<number | void> => {
    const token = randomUUID();
    const claimed = await engine.claimTurn({ runId, token, holder: epoch.id });
    if (claimed.refused) {
      log.debug({ runId, refused: claimed.refused }, 'nothing to claim');
      return;
    }
    const claimedAt = performance.now();
    const { run } = claimed;
    const apply = (input: RunInput): ReturnType<typeof engine.apply> => {
      const msLeft = run.msLeft - (performance.now() - claimedAt);
      return engine.apply(runId, input, { ...run, msLeft });
    };
    trace.getActiveSpan()?.setAttribute(ATTR.attempt, run.attempt);
    log.info({ runId, turn: run.turn, attempt: run.attempt }, 'turn claimed');
    try {
      const input = await resolve(claimed, token, signal);
      const { refused } = await apply(input);
      const { answer, confidence, tokens } = input;
      const calls = answer.outcome === 'calls' ? answer.calls.length : 0;
      log.info({ runId, calls, confidence, refused }, 'turn resolved');
      return tokens;
    } catch (error) {
      // Whatever it came to would be refused.
      if (signal.aborted) {
        log.info({ runId }, 'turn dropped: its run is over or ends');
        return;
      }
      const failure = asHammerlineError(error);
      const isAway = AWAY.has(failure.code);
      if (isAway) log.info({ runId, reason: failure.message }, 'turn delayed');
      else log.warn({ runId, err: error }, 'turn failed');
      const told = { token, error: { code: failure.code, message: failure.message } };
      const input: RunInput = isAway
        ? { type: 'turn.delay', ...told, dueInMs: model.isStopped ? 0 : restMs(run, failure) }
        : { type: 'turn.fail', ...told, retryable: failure.retryable };
      await apply(input);
    }
  };

  return async ({ runId }) => {
    // BullMQ may deliver one more hint after it was paused: it goes back, perhaps to another worker.
    if (!model.isOpen) return runs.dispatcher.giveBack({ kind: 'turn', runId });
    // A process whose heartbeats fail would claim, be doubted and claim again: it leaves the turn to the sweep.
    if (!epoch.isFresh()) return;
    // Before the claim: a run that is halted later is heard of.
    const halt = halts.watch(runId);
    try {
      return await take(runId, halt.signal);
    } finally {
      halt.release();
    }
  };
}

/** The calls as the ledger pins them, with what their tools say of them. */
function plan(
  resolved: readonly ResolvedCall[],
  { tools }: Toolset,
  earlier: readonly EarlierCall[],
) {
  const calls = resolved.map((call): PlannedCall => {
    const tool = tools.find(({ name }) => name === call.name);
    const { effect = 'once', approval = 'never', probe } = tool ?? {};
    return { ...call, id: uuidv7(), effect, approval, hasProbe: probe !== undefined };
  });
  const made = earlier.filter(({ state }) => state === 'succeeded');
  const repeated = calls.filter((call) =>
    made.some(
      ({ name, arguments: given }) =>
        name === call.name && isDeepStrictEqual(given, call.arguments),
    ),
  );
  return { outcome: 'calls' as const, calls, repeated: repeated.map(({ id }) => id) };
}

function isMasked(mask: MaskMode, maskTrained: boolean): boolean {
  return mask === 'auto' ? maskTrained : mask === 'on';
}

/** A model that is away from this worker may be there for another: the first time the turn is offered at once. */
function restMs({ attempt, tries }: RunRecord, { code }: HammerlineError): number {
  const delays = attempt - tries;
  if (delays === 0 && code === 'model_unavailable') return 0;
  const ms = Math.min(FIRST_REST_MS * 2 ** delays, LONGEST_REST_MS);
  return Math.round(ms * (0.5 + Math.random()));
}

function asHammerlineError(error: unknown): HammerlineError {
  return error instanceof HammerlineError ? error : new HammerlineError('internal', String(error));
}
