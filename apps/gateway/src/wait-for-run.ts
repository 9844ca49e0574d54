import { HammerlineError, TERMINAL_RUN_STATES, type Run } from '#libs/contracts';
import { readRun, type Pool, type RunNotices } from '#libs/runs';

/** A waiter looks by itself this often: a lost notice may cost that much, never more. */
export const RECHECK_MS = 2_000;

export function runEnded(run: Run): boolean {
  return TERMINAL_RUN_STATES.has(run.state);
}

/** The run as it is once it has ended, after `seconds`, or when this process stops. */
export async function waitForRun(
  pool: Pool,
  notices: RunNotices,
  options: { tenantId: string; runId: string; seconds: number; stopping: AbortSignal },
): Promise<Run> {
  const { tenantId, runId, seconds, stopping } = options;
  const signal = AbortSignal.any([AbortSignal.timeout(seconds * 1_000), stopping]);
  const listener = notices.listen(runId, signal, 'end');
  try {
    for (;;) {
      const run = await readRun(pool, tenantId, runId);
      if (!run) throw new HammerlineError('not_found', `There is no run ${runId}.`);
      if (runEnded(run) || seconds === 0 || signal.aborted) return run;
      await listener.changed(RECHECK_MS);
    }
  } finally {
    listener.close();
  }
}
