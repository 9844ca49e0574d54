import { invalidArgument } from '../triton-error.js';
import { hashText, mix } from './hash.js';
import { leastOutstanding, type Policy } from './policies.js';

export interface PrefixAffinityOptions {
  /** No endpoint gets more than this many times the average of the calls under way, rounded up. At least 1; default 1.25. */
  readonly loadFactor?: number | undefined;
}

/**
 * Calls of one affinity go to one endpoint, whose cache has seen their prefix: rendezvous hashing (Thaler and Ravishankar,
 * 1998) with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2018). Each key has its own order of all endpoints; the call
 * goes to the first that has fewer calls under way than ceil(loadFactor × (calls under way + this one) / endpoints). If one
 * of n endpoints comes or goes, only the keys that it gets or had move, about one in n. The orders depend on the addresses
 * alone: every process has the same.
 *
 * The bound is strict at low load too: of two calls of one affinity at once, on idle endpoints, the second goes elsewhere.
 * Calls without affinity go where the fewest are under way.
 */
export function prefixAffinity({ loadFactor = 1.25 }: PrefixAffinityOptions = {}): Policy {
  if (!(loadFactor >= 1)) {
    throw invalidArgument('loadFactor', `${loadFactor} is below the average`, 'give 1 or more');
  }
  const leastBusy = leastOutstanding();
  return (candidates, affinity) => {
    if (affinity === undefined) return leastBusy(candidates, affinity);
    let calls = 1;
    for (const { inFlight } of candidates) calls += inFlight;
    const capacity = Math.ceil((loadFactor * calls) / candidates.length);
    const key = hashText(affinity);
    let best = -1;
    let bestScore = -1;
    let at = 0;
    for (const { seed, inFlight } of candidates) {
      const score = inFlight < capacity ? mix(key ^ seed) : -1;
      if (score > bestScore) {
        best = at;
        bestScore = score;
      }
      at++;
    }
    return best;
  };
}
