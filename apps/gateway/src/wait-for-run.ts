import { HammerlineError, TERMINAL_RUN_STATES, type Run } from '#libs/contracts';
import { readRun, type Pool, type RunNotices } from '#libs/runs';

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
  const read = async (): Promise<Run> => {
    const run = await readRun(pool, tenantId, runId);
    if (!run) throw new HammerlineError('not_found', `There is no run ${runId}.`);
    return run;
  };
  if (seconds === 0) return read();
  const signal = AbortSignal.any([AbortSignal.timeout(seconds * 1_000), stopping]);
  const listener = await notices.listen(runId, signal, 'end');
  try {
    for (;;) {
      const run = await read();
      if (runEnded(run) || signal.aborted) return run;
      await listener.changed(0);
    }
  } finally {
    listener.close();
  }
}
