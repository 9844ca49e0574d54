/** Does some work whose signal is aborted by Ctrl-C or SIGTERM. The reason then says which. */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupted = new AbortController();
  const stop = (name: Interruption['signal']) => interrupted.abort(new Interruption(name));
  // Not once: a launcher passes on what the terminal sent to both.
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    return await work(interrupted.signal);
  } catch (error) {
    // Not all that is aborted says why.
    interrupted.signal.throwIfAborted();
    throw error;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

export class Interruption extends Error {
  readonly signal: 'SIGINT' | 'SIGTERM';

  constructor(signal: Interruption['signal']) {
    super('stopped');
    this.signal = signal;
  }
}
