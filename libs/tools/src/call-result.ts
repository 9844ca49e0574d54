import type { CallResult, Effect, ErrorCode } from '#libs/contracts';
import { parseJson } from '#libs/pyjson';

/** Results deeper than this stay text: Postgres and JSON.stringify have limits of their own. */
const maxResultDepth = 64;
const previewLength = 1_024;

type MayRetry = Extract<CallResult, { state: 'failed' }>['mayRetry'];

export function failed(code: ErrorCode, message: string, mayRetry?: MayRetry): CallResult {
  return {
    state: 'failed',
    error: { code, message: storableText(message) },
    ...(mayRetry && { mayRetry }),
  };
}

/**
 * A call of which it is not known whether it took effect. It has failed all the same if a second execution does no
 * harm, and is worth one if what went wrong `passes`.
 */
export function uncertain(
  effect: Effect,
  { code, message, passes = true }: { code: ErrorCode; message: string; passes?: boolean },
): CallResult {
  if (effect !== 'once') return failed(code, message, passes ? 'transient' : undefined);
  return {
    state: 'outcome_unknown',
    error: { code: 'outcome_unknown', message: storableText(message) },
  };
}

/**
 * A call that was done, but whose result is over its cap. Only a `read` call fails by it; another one has taken effect
 * and has succeeded, with the result's first characters in place of it.
 */
export function tooLarge(effect: Effect, maxResultBytes: number, text: string): CallResult {
  if (effect === 'read') {
    const mend = 'ask for less, or raise maxResultBytes in the toolset';
    return failed('result_too_large', `the result is over ${maxResultBytes} bytes; ${mend}`);
  }
  return { state: 'succeeded', result: truncated(text, maxResultBytes) };
}

/** What stands for a result that is over its cap. */
export function truncated(text: string, maxResultBytes: number): object {
  const start = storableText(text.slice(0, previewLength));
  return { truncated: true, maxResultBytes, start };
}

/** The value of JSON text as Postgres can store it; the text itself if it is no such JSON. */
export function readJson(text: string): unknown {
  try {
    return storable(parseJson(text), maxResultDepth);
  } catch {
    return storableText(text);
  }
}

/** Replaces NUL and halves of surrogate pairs, which Postgres refuses. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{FFFD}');
}

function storable(value: unknown, levels: number): unknown {
  if (typeof value === 'string') return storableText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) throw new RangeError('too deep');
  if (Array.isArray(value)) return value.map((member) => storable(member, levels - 1));
  const members = Object.entries(value);
  return Object.fromEntries(
    members.map(([key, member]) => [storableText(key), storable(member, levels - 1)]),
  );
}
