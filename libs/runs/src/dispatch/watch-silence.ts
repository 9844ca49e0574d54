/** So often within the time after which silence counts, it looks. */
const LOOKS = 3;

/**
 * Watches something that can fall silent without an error. When at each look for `afterMs` it had work waiting and took
 * none, it is revived; when that does not help either, it is given up.
 *
 * @param options.taken number of all it has taken
 * @param options.isIdle whether there is work that it has room for; throws where that cannot be known
 */
export function watchSilence(options: {
  afterMs: number;
  taken: () => number;
  isIdle: () => Promise<boolean>;
  revive: () => void;
  onSilent: () => void;
}): { stop(): void } {
  const { afterMs, taken, isIdle, revive, onSilent } = options;
  let isStopped = false;
  let timer: NodeJS.Timeout;
  let before = taken();
  let idleLooks = 0;
  let isRevived = false;

  const look = async (): Promise<void> => {
    const hasWork = await isIdle().catch(() => false);
    if (isStopped) return;
    const now = taken();
    if (now !== before) isRevived = false;
    idleLooks = hasWork && now === before ? idleLooks + 1 : 0;
    before = now;
    // The first look only begins the time.
    if (idleLooks > LOOKS) {
      idleLooks = 0;
      if (isRevived) return onSilent();
      isRevived = true;
      revive();
    }
    schedule();
  };
  const schedule = (): void => {
    timer = setTimeout(() => void look(), afterMs / LOOKS).unref();
  };
  schedule();
  return {
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
