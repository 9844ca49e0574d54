/**
 * Does `work` again and again, `everyMs` after it last began, never twice at once, until it is stopped. What `work` throws
 * is for `onError`, and it goes on.
 */
export function repeat(
  everyMs: number,
  work: () => Promise<void>,
  onError: (error: unknown) => void,
): { stop(): Promise<void> } {
  let isStopped = false;
  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout;
  const schedule = (inMs: number): void => {
    timer = setTimeout(() => {
      const beganAt = performance.now();
      running = work()
        .catch(onError)
        .finally(() => {
          if (!isStopped) schedule(Math.max(beganAt + everyMs - performance.now(), 0));
        });
    }, inMs);
  };
  schedule(everyMs);
  return {
    /** Resolves when nothing of it runs any more. */
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
