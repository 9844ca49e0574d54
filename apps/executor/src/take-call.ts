import { randomUUID } from 'node:crypto';
import { HammerlineError, type CallResult } from '#libs/contracts';
import type { CallRecord, Halts, RunInput, RunRecord, Runs } from '#libs/runs';
import type { Logger } from '#libs/telemetry';
import { Leases } from './leases.js';
import { findOut, makeCall } from './make-call.js';
import { createToolsetReader } from './toolset-reader.js';

export interface CallTakerOptions {
  runs: Pick<Runs, 'engine' | 'epoch'>;
  halts: Pick<Halts, 'watch'>;
  /** Ends all that is in work: the process has no more time to wait for it. */
  leaving: AbortSignal;
  /** Where `${VAR}` in URLs and headers of tools is looked up. */
  env: NodeJS.ProcessEnv;
  filesDir: string;
  log: Logger;
}

type CallInput = Extract<RunInput, { type: 'call.release' | 'call.settle' | 'call.probe' }>;

/** A claim that was granted: a call to make, or one to ask its tool about. */
interface Granted {
  run: RunRecord;
  call: CallRecord;
  token: string;
  apply: (input: CallInput) => ReturnType<Runs['engine']['apply']>;
}

/** Makes the function that makes the call a hint tells of, if it is still to be made: the ledger decides that. */
export function createCallTaker(
  options: CallTakerOptions,
): (hint: { runId: string; callId: string }) => Promise<void> {
  const { runs, halts, leaving, env, filesDir, log } = options;
  const leases = new Leases(runs.epoch);
  const toolsetOf = createToolsetReader(runs.engine.ledger);

  const claim = async (runId: string, callId: string): Promise<Granted | undefined> => {
    const token = randomUUID();
    const input = { type: 'call.claim', callId, holder: runs.epoch.id, token } as const;
    const claimed = await runs.engine.apply(runId, input);
    const claimedAt = performance.now();
    const call = claimed.refused ? undefined : claimed.run.calls.find(({ id }) => id === callId);
    const isProbe =
      claimed.refused === undefined && claimed.events.some(({ type }) => type === 'call.probed');
    const isGranted = isProbe || (call?.state === 'started' && call.token === token);
    if (claimed.refused || !call || !isGranted) {
      log.debug({ runId, callId, refused: claimed.refused }, 'nothing to claim');
      return undefined;
    }
    const { run } = claimed;
    const apply: Granted['apply'] = (came) => {
      const msLeft = run.msLeft - (performance.now() - claimedAt);
      return runs.engine.apply(runId, came, { ...run, msLeft });
    };
    return { run, call, token, apply };
  };

  const release = async ({ run, call, token, apply }: Granted): Promise<void> => {
    const { refused } = await apply({ type: 'call.release', callId: call.id, token });
    const at = { runId: run.id, callId: call.id, tool: call.name };
    log.warn({ ...at, refused }, 'call handed back');
  };

  const make = async (granted: Granted, halted: AbortSignal): Promise<void> => {
    const { run, call, token, apply } = granted;
    // It was cancelled or has expired in the same commit.
    if (run.state !== 'executing') return release(granted);
    const at = { runId: run.id, callId: call.id, tool: call.name };
    const { holder } = call;
    const lease = leases.watch(holder);
    log.info({ ...at, attempt: call.attempt }, 'call claimed');
    const ends = [halted, leaving];
    // Nobody makes a `once` call again: what it comes to counts, however late.
    if (call.effect !== 'once') ends.push(lease.signal);
    const result = await toolsetOf(run.toolsetHash)
      .then((toolset) =>
        makeCall(toolset, call, {
          env,
          filesDir,
          signal: AbortSignal.any(ends),
          mayStart: () => !lease.signal.aborted && leases.isHeld(holder),
        }),
      )
      // What makes a call never throws: this broke before anything was sent.
      .catch((error: unknown) => notSent(error))
      .finally(() => lease.release());
    // Another process may make it: it was not sent, or it does no harm if it is made again.
    const isAgain = leaving.aborted && call.effect !== 'once' && !halted.aborted;
    if (wasStopped(result, isAgain)) return release(granted);
    const settle = (came: CallResult): ReturnType<typeof apply> =>
      apply({ type: 'call.settle', callId: call.id, token, result: came });
    const { refused } = await settle(result).catch((error: unknown) => {
      log.error({ err: error, ...at }, 'the ledger refused a result');
      return settle(unrecorded(call));
    });
    if (refused) log.warn({ ...at, refused }, 'the result changed nothing');
    else log.info({ ...at, state: result.state }, 'call settled');
  };

  const probe = async ({ run, call, apply }: Granted, halted: AbortSignal): Promise<void> => {
    const signal = AbortSignal.any([halted, leaving]);
    const found = await findOut(await toolsetOf(run.toolsetHash), call, { env, filesDir, signal });
    if (signal.aborted) return;
    const { refused } = await apply({ type: 'call.probe', callId: call.id, found });
    const reason = found.state === 'unclear' ? found.reason : undefined;
    const at = { runId: run.id, callId: call.id, tool: call.name };
    log.info({ ...at, found: found.state, reason, refused }, 'call probed');
  };

  return async ({ runId, callId }) => {
    // A process whose heartbeats fail would claim, be doubted and claim again: it leaves the call to the sweep.
    if (leaving.aborted || !runs.epoch.isFresh()) return;
    // From before the claim: no halt may fall between.
    const halt = halts.watch(runId);
    try {
      const granted = await claim(runId, callId);
      if (granted?.call.state === 'outcome_unknown') await probe(granted, halt.signal);
      else if (granted) await make(granted, halt.signal);
    } finally {
      halt.release();
    }
  };
}

function wasStopped(result: CallResult, evenIfSent: boolean): boolean {
  if (result.state !== 'failed' || result.error.code !== 'cancelled') return false;
  return result.mayRetry === 'not_sent' || evenIfSent;
}

function notSent(error: unknown): CallResult {
  const code = error instanceof HammerlineError ? error.code : 'internal';
  const message = `not sent: ${error instanceof Error ? error.message : String(error)}`;
  return { state: 'failed', error: { code, message } };
}

function unrecorded({ effect }: CallRecord): CallResult {
  const message = 'The call was made, but its result could not be recorded.';
  const state = effect === 'once' ? 'outcome_unknown' : 'failed';
  return { state, error: { code: 'internal', message } };
}
