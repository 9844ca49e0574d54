import { TERMINAL_RUN_STATES } from '#libs/contracts';
import { harm } from './faults.js';
import { Fleet } from './fleet.js';
import { askFor, LONGEST_RUN_MS, lookAround } from './people.js';
import { HONEST, type Sabotage } from './sabotage.js';
import { World } from './world.js';

const RUNS = 16;
const PROCESSES = 4;
const FAULTS_END_MS = 20_000;
/** A run may last so long after the last fault: until its deadline, and until what is in work then has ended. */
const HEALED_AFTER_MS = LONGEST_RUN_MS + 30_000;

/** What was on its way at the last fault has arrived by then. */
const SETTLED_AFTER_MS = 5_000;

/**
 * Sends runs through a small fleet while it is harmed, then lets it heal, and sends one more.
 *
 * @returns what went wrong; nothing, if the engine keeps its promises
 */
export async function simulate(seed: number, sabotage: Sabotage = HONEST): Promise<string[]> {
  const world = new World(seed, sabotage);
  const { scheduler, network, db, checker, random } = world;
  const fleet = new Fleet(world);
  const areAnswered: (() => boolean)[] = [];
  const isDone = (): boolean =>
    areAnswered.every((isAnswered) => isAnswered()) &&
    [...db.rows.values()].every(({ run }) => TERMINAL_RUN_STATES.has(run.state));
  for (let count = 0; count < PROCESSES; count += 1) fleet.start();
  for (let count = 0; count < RUNS; count += 1) {
    scheduler.after(random() * FAULTS_END_MS * 0.6, () => {
      areAnswered.push(askFor(world, fleet, `key ${count}`));
    });
  }
  lookAround(world, fleet);
  harm(world, fleet);
  await scheduler.run(FAULTS_END_MS);
  network.mend();
  fleet.continueAll();
  scheduler.after(SETTLED_AFTER_MS, () => {
    for (const what of fleet.forgotten()) checker.note(`its holder has forgotten ${what}`);
  });
  await scheduler.run(FAULTS_END_MS + HEALED_AFTER_MS, isDone);
  areAnswered.push(askFor(world, fleet, 'after all'));
  await scheduler.run(scheduler.now + HEALED_AFTER_MS, isDone);
  if (!isDone()) checker.note('the backlog does not drain, or a client has no answer');
  checker.end(world);
  return checker.violations;
}
