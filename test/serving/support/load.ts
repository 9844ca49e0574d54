import { TERMINAL_RUN_STATES, type Run } from '#libs/contracts';
import type { Stack } from '../../support/stack.js';

/** Clients that submit runs one after the other, each waiting for the end of its own. */
export interface Load {
  /** Resolves when `count` more runs have ended, with all so far that did not succeed. */
  further(count: number): Promise<Run[]>;
  /** Submits no more; resolves when every run has ended, with all that did not succeed. */
  stop(): Promise<Run[]>;
}

/** @param body of the run with this number, from 0 */
export function startLoad(stack: Stack, clients: number, body: (index: number) => object): Load {
  const stopping = new AbortController();
  const failures: Run[] = [];
  let submitted = 0;
  let ended = 0;
  let waiters: { count: number; resolve: (failures: Run[]) => void }[] = [];
  const client = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const accepted = await stack.submit(body(submitted++), { prefer: 'wait=60' });
      const isOver = TERMINAL_RUN_STATES.has(accepted.state);
      const run = isOver ? accepted : await stack.ended(accepted.id);
      ended++;
      if (run.state !== 'succeeded') failures.push(run);
      const due = waiters.filter(({ count }) => ended >= count);
      waiters = waiters.filter((waiter) => !due.includes(waiter));
      for (const { resolve } of due) resolve([...failures]);
    }
  };
  const all = Promise.all(Array.from({ length: clients }, client)).then(() => failures);
  all.catch(() => {}); // heard where it is waited for
  return {
    further: (count) => {
      const enough = new Promise<Run[]>((resolve) => {
        waiters.push({ count: ended + count, resolve });
      });
      return Promise.race([enough, all]);
    },
    stop: () => {
      stopping.abort();
      return all;
    },
  };
}
