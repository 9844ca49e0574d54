import { randomUUID } from 'node:crypto';
import { HammerlineError, type ErrorRecord, type MaskMode } from '#libs/contracts';
import { maskKey } from '#libs/masking';
import type { RunRecord, Runs } from '#libs/runs';
import { ATTR, type Logger } from '#libs/telemetry';
import type { Toolset } from '#libs/tools';
import { compileToolset, type CompiledToolset } from '#libs/turn';
import { trace } from '@opentelemetry/api';
import { LRUCache } from 'lru-cache';
import { v7 as uuidv7 } from 'uuid';
import type { Model } from './models/model.js';
import { resolveCalls } from './resolve-calls.js';

/** A turn that takes longer is given up and tried again: its model hangs. */
const TURN_WITHIN_MS = 180_000;

/** Makes the function that does the turn a hint tells of, if it is still to be done: the ledger decides that. */
export function createTurnTaker(deps: {
  runs: Runs;
  model: Model;
  log: Logger;
}): (hint: { runId: string }) => Promise<void> {
  const { runs, model, log } = deps;
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

  return async ({ runId }) => {
    // A process whose heartbeats fail would claim, be doubted and claim again: it leaves the turn to the sweep.
    if (!runs.epoch.isFresh()) return;
    const token = randomUUID();
    const claim = await runs.engine.apply(runId, {
      type: 'turn.claim',
      holder: runs.epoch.id,
      token,
    });
    if (claim.refused || claim.run.token !== token) {
      log.debug({ runId, refused: claim.refused }, 'nothing to claim');
      return;
    }
    const { run } = claim;
    trace.getActiveSpan()?.setAttribute(ATTR.attempt, run.attempt);
    log.info({ runId, turn: run.turn, attempt: run.attempt }, 'turn claimed');
    try {
      const { toolset, ready } = await toolsetOf(run);
      const messages = await runs.engine.ledger.messages(runId);
      const signal = AbortSignal.timeout(TURN_WITHIN_MS);
      const { calls, confidence } = await resolveCalls(model, ready, messages, signal);
      const effects = new Map(toolset.tools.map(({ name, effect }) => [name, effect]));
      const resolved = await runs.engine.apply(runId, {
        type: 'turn.resolve',
        token,
        model: model.card.name,
        confidence,
        confidenceThreshold: model.card.confidenceThreshold,
        calls: calls.map((call) => ({
          ...call,
          id: uuidv7(),
          effect: effects.get(call.name) ?? 'once',
        })),
      });
      log.info(
        { runId, calls: calls.length, confidence, refused: resolved.refused },
        'turn resolved',
      );
    } catch (error) {
      const failure = describeFailure(error);
      log.warn({ runId, err: error }, 'turn failed');
      await runs.engine.apply(runId, { type: 'turn.fail', token, ...failure });
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
  if (error instanceof Error && error.name === 'TimeoutError') {
    const message = `The model did not answer within ${TURN_WITHIN_MS / 1_000} s.`;
    return { error: { code: 'model_failed', message }, retryable: true };
  }
  return { error: { code: 'internal', message: String(error) }, retryable: true };
}
