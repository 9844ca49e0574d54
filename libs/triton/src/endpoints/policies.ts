/** What a policy sees of an endpoint. */
export interface Candidate {
  /** `host:port`. */
  readonly address: string;
  /** A hash of the address, the same in every process. */
  readonly seed: number;
  /** Calls under way of this client. */
  readonly inFlight: number;
}

/**
 * Chooses who is asked: the index of one of the candidates, which are all fit, at least one. A policy may keep a turn, so
 * each balanced transport needs its own.
 */
export type Policy = (candidates: readonly Candidate[], affinity: string | undefined) => number;

/** One after the other, whatever they have to do: for calls that all cost about the same. */
export function roundRobin(): Policy {
  let turn = 0;
  return (candidates) => turn++ % candidates.length;
}

/** Whoever has the fewest calls under way; those with equally few take turns. */
export function leastOutstanding(): Policy {
  let turn = 0;
  return (candidates) => {
    let least = Infinity;
    let ties = 0;
    for (const { inFlight } of candidates) {
      if (inFlight < least) {
        least = inFlight;
        ties = 1;
      } else if (inFlight === least) ties++;
    }
    let skip = turn++ % ties;
    return candidates.findIndex(({ inFlight }) => inFlight === least && skip-- === 0);
  };
}
