/** Why a call came to nothing, or nobody knows to what. */
export interface Failure {
  code: 'tool_failed' | 'tool_timeout' | 'cancelled';
  reason: string;
}

/**
 * @param signal what ends the call; a reason named `TimeoutError` reads as a timeout
 * @param error none: the connection closed
 */
export function failureOf(signal: AbortSignal, error: unknown): Failure {
  if (signal.aborted) {
    const { reason } = signal as { reason: unknown };
    return reason instanceof Error && reason.name === 'TimeoutError'
      ? { code: 'tool_timeout', reason: 'no answer in time' }
      : { code: 'cancelled', reason: 'the call was stopped' };
  }
  const code = 'tool_failed';
  if (!(error instanceof Error)) return { code, reason: 'the connection closed without an answer' };
  // Of several addresses that were tried, the error's message is empty.
  const cause: unknown = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  return { code, reason: cause instanceof Error ? cause.message : String(cause) };
}
