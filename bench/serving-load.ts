import { setTimeout } from 'node:timers/promises';

/** Clients that ask one after the other: as many requests are under way as there are clients. */
export interface Load {
  /** Resolves when `count` more answers have come; rejects when one has failed. */
  further(count: number): Promise<void>;
  /** Resolves after so many seconds; rejects as `further` does. */
  lasting(seconds: number): Promise<void>;
  readonly answered: number;
  /** Asks no more; resolves when all that is under way is over. */
  stop(): Promise<void>;
}

/** @param ask the request with this number, from 0 */
export function startLoad(clients: number, ask: (index: number) => Promise<void>): Load {
  let asked = 0;
  let answered = 0;
  const stopping = new AbortController();
  let waiters: { readonly count: number; readonly resolve: () => void }[] = [];
  const client = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await ask(asked++);
      answered++;
      for (const { count, resolve } of waiters) if (answered >= count) resolve();
      waiters = waiters.filter(({ count }) => answered < count);
    }
  };
  const all = Promise.all(Array.from({ length: clients }, client)).then(() => undefined);
  all.catch(() => {}); // heard where it is waited for
  return {
    get answered() {
      return answered;
    },
    lasting: (seconds) => Promise.race([setTimeout(seconds * 1e3), all]),
    further: (count) => {
      const enough = new Promise<void>((resolve) => {
        waiters.push({ count: answered + count, resolve });
      });
      return Promise.race([enough, all]);
    },
    stop: () => {
      stopping.abort();
      return all;
    },
  };
}

/** Milliseconds that each of `times` requests takes, one after the other. */
export async function timesOf(times: number, ask: () => Promise<void>): Promise<number[]> {
  const taken: number[] = [];
  for (let at = 0; at < times; at++) {
    const start = performance.now();
    await ask();
    taken.push(performance.now() - start);
  }
  return taken;
}

/**
 * How much of something is done in a second while `clients` keep asking: what `count` says, from the answer number
 * `warm` to `answers` answers later.
 */
export async function rateOf(options: {
  readonly clients: number;
  readonly warm: number;
  readonly answers: number;
  readonly ask: (index: number) => Promise<void>;
  /** Default: the answers. */
  readonly count?: () => Promise<number>;
}): Promise<number> {
  const { clients, warm, answers, ask, count } = options;
  const load = startLoad(clients, ask);
  await load.further(warm);
  const before = await count?.();
  const start = performance.now();
  await load.further(answers);
  const seconds = (performance.now() - start) / 1e3;
  const after = await count?.();
  await load.stop();
  return (after === undefined ? answers : after - (before ?? 0)) / seconds;
}
