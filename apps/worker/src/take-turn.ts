import { randomUUID } from 'node:crypto';
import { HammerlineError, type ErrorRecord, type MaskMode } from '#libs/contracts';
import { maskKey } from '#libs/masking';
import type { ClaimedTurn, RunInput, RunRecord, Runs } from '#libs/runs';
import { ATTR, type Logger } from '#libs/telemetry';
import type { Toolset } from '#libs/tools';
import { compileToolset, type CompiledToolset } from '#libs/turn';
import { trace } from '@opentelemetry/api';
import { LRUCache } from 'lru-cache';
import { v7 as uuidv7 } from 'uuid';
import type { ModelFeed } from './feed/model-feed.js';
import type { Model } from './models/model.js';
import { resolveCalls } from './resolve-calls.js';

type Resolved = Extract<RunInput, { type: 'turn.resolve' }>;

/**
 * Makes the function that does the turn a hint tells of, if it is still to be done: the ledger decides that. A turn that
 * meets a model that is away goes back to the queue and costs it no try.
 */
export function createTurnTaker(deps: {
  runs: Runs;
  model: ModelFeed;
  log: Logger;
}): (hint: { runId: string }) => Promise<void> {
  const { runs, model, log } = deps;
  const { engine, epoch } = runs;
  const compiled = new LRUCache<string, { toolset: Toolset; ready: CompiledToolset }>({ max: 64 });

  const toolsetOf = async (run: RunRecord) => {
    const masked = isMasked(run.mask, model);
    const key = `${run.tenantId}/${run.toolsetHash}/${masked}`;
    let entry = compiled.get(key);
    if (!entry) {
      const toolset = (await runs.engine.ledger.toolset(run.toolsetHash)) as Toolset;
      const ready = compileToolset(toolset.tools, {
        flavour: model.card.flavour,
        maxCalls: model.card.maxCalls,
        mask: masked ? { key: maskKey(run.tenantId, run.toolsetHash) } : undefined,
      });
      entry = { toolset, ready };
      compiled.set(key, entry);
    }
    return entry;
  };

  const resolve = async ({ run, messages }: ClaimedTurn): Promise<Resolved> => {
    const { toolset, ready } = await toolsetOf(run);
    // Only a model that hangs ends a turn, and the feed sees to that.
    const { signal } = new AbortController();
    const { calls, confidence } = await resolveCalls(model, ready, messages, signal);
    const effects = new Map(toolset.tools.map(({ name, effect }) => [name, effect]));
    return {
      type: 'turn.resolve',
      token: run.token ?? '',
      model: model.card.name,
      confidence,
      confidenceThreshold: model.card.confidenceThreshold,
      calls: calls.map((call) => ({
        ...call,
        id: uuidv7(),
        effect: effects.get(call.name) ?? 'once',
      })),
    };
  };

  return async ({ runId }) => {
    // BullMQ may deliver one more hint after it was paused: it goes back, perhaps to another worker.
    if (!model.isOpen) return engine.offerTurn(runId);
    // A process whose heartbeats fail would claim, be doubted and claim again: it leaves the turn to the sweep.
    if (!epoch.isFresh()) return;
    const token = randomUUID();
    const claimed = await engine.claimTurn({ runId, token, holder: epoch.id });
    if (claimed.refused) {
      log.debug({ runId, refused: claimed.refused }, 'nothing to claim');
      return;
    }
    const { run } = claimed;
    trace.getActiveSpan()?.setAttribute(ATTR.attempt, run.attempt);
    log.info({ runId, turn: run.turn, attempt: run.attempt }, 'turn claimed');
    try {
      const input = await resolve(claimed);
      const { refused } = await engine.apply(runId, input, run);
      const { calls, confidence } = input;
      log.info({ runId, calls: calls.length, confidence, refused }, 'turn resolved');
    } catch (error) {
      const { retryable, ...failure } = describeFailure(error);
      const isAway = failure.error.code === 'model_unavailable';
      if (isAway) log.info({ runId, reason: failure.error.message }, 'turn delayed');
      else log.warn({ runId, err: error }, 'turn failed');
      const input: RunInput = isAway
        ? { type: 'turn.delay', token, dueInMs: 0, ...failure }
        : { type: 'turn.fail', token, retryable, ...failure };
      await engine.apply(runId, input, run);
    }
  };
}

function isMasked(mask: MaskMode, model: Model): boolean {
  return mask === 'auto' ? model.card.maskTrained : mask === 'on';
}

function describeFailure(error: unknown): { error: ErrorRecord; retryable: boolean } {
  if (error instanceof HammerlineError) {
    return { error: { code: error.code, message: error.message }, retryable: error.retryable };
  }
  return { error: { code: 'internal', message: String(error) }, retryable: true };
}
