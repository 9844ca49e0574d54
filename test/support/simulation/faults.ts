import type { Fleet } from './fleet.js';
import type { SimulatedProcess } from './process.js';
import type { World } from './world.js';

/** Harms the fleet, its ledger and what lies between them until the network is mended. */
export function harm(world: World, fleet: Fleet): void {
  const { random, scheduler, network, db, checker } = world;
  const forAWhile = (ms: number, begin: () => void, end: () => void): void => {
    begin();
    scheduler.after(ms, end);
  };
  const faults = [
    (process: SimulatedProcess): void => {
      process.kill();
      scheduler.after(random() * 3_000, () => fleet.start());
    },
    // Mostly for longer than a lease.
    (process: SimulatedProcess): void => {
      const ms = 3_000 + random() * 9_000;
      forAWhile(
        ms,
        () => process.stop(),
        () => process.continue(),
      );
    },
    (process: SimulatedProcess): void => {
      const ms = random() * 12_000;
      forAWhile(
        ms,
        () => network.cutOff.add(process),
        () => network.cutOff.delete(process),
      );
    },
    (): void => {
      checker.survives(() => db.crash(random()));
      network.isLedgerUp = false;
      scheduler.after(random() * 2_500, () => {
        network.isLedgerUp = true;
      });
    },
  ];
  // Each seed has its own mixture: where everything fails at once, much is never reached.
  const chosen = faults.filter(() => random() < 0.5);
  const longestMs = 1_000 + random() * 3_000;
  const next = (): void => {
    if (!network.isFaulty) return;
    const victim = world.pick(fleet.living());
    if (victim) world.pick(chosen)?.(victim.process);
    scheduler.after(random() * longestMs, next);
  };
  scheduler.after(random() * longestMs, next);
}
