import type { ErrorCode } from '#libs/contracts';
import type { Random } from './inputs.js';

/** How often a turn or a call is started before it is given up: what kills its process must not do so for ever. */
export const MAX_TRIES = 3;
/** How often a turn is handed back before that counts as a failure of its own: nothing goes round for ever. */
export const MAX_DELAYS = 1_000;

interface RetryPolicy {
  /** Before the second try, milliseconds; four times as long before each further one. */
  firstMs: number;
  longestMs: number;
}

const PROMPT: RetryPolicy = { firstMs: 500, longestMs: 10_000 };
/** Somebody else's service: it gets time to recover. */
const PATIENT: RetryPolicy = { firstMs: 1_000, longestMs: 60_000 };

const POLICIES: Partial<Record<ErrorCode, RetryPolicy>> = {
  tool_failed: PATIENT,
  tool_timeout: PATIENT,
};

/**
 * Milliseconds until the next try of what failed with `code` the `tries`th time; undefined: it is not tried again, as its
 * tries are spent or its run would be over by then. By chance up to a half more or less, so that what failed together
 * does not come back together.
 */
export function retryInMs(
  code: ErrorCode,
  { tries, msLeft, random }: { tries: number; msLeft: number; random: Random },
): number | undefined {
  if (tries >= MAX_TRIES) return undefined;
  const { firstMs, longestMs } = POLICIES[code] ?? PROMPT;
  const ms = Math.min(firstMs * 4 ** (tries - 1), longestMs) * (0.5 + random());
  return ms < msLeft ? Math.round(ms) : undefined;
}
