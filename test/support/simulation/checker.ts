import { TERMINAL_RUN_STATES } from '#libs/contracts';
import type { CallRecord } from '../../../libs/runs/src/reducer/index.js';
import type { MemoryDatabase, RunRow } from '../memory-database.js';
import type { World } from './world.js';

const SETTLED = new Set(['resolved', 'succeeded', 'failed', 'denied', 'cancelled']);

/** Watches a simulation: each change of a run as it is committed, and at the end what became of everything. */
export class Checker {
  readonly violations: string[] = [];
  readonly #db: MemoryDatabase;

  constructor(db: MemoryDatabase) {
    this.#db = db;
    db.onChange = (before, after) => this.#changed(before, after);
  }

  note(violation: string): void {
    this.violations.push(`at ${Math.round(this.#db.now())} ms: ${violation}`);
  }

  /** A process sends a call to its tool. What could be done again may have lost its claim to a crash of the ledger. */
  sent(runId: string, { id, token, attempt, effect }: CallRecord): void {
    const now = this.#db.rows.get(runId)?.calls.find((call) => call.id === id);
    if (effect !== 'read' && (now?.token !== token || now?.state !== 'started')) {
      this.note(
        `attempt ${attempt} of ${effect} call ${id} is sent while the ledger has it ${now?.state}, attempt ${now?.attempt}`,
      );
    }
  }

  /** @param act after which nothing may be undone that a client may have been told */
  survives(act: () => void): void {
    const ended = [...this.#db.rows.values()].filter(({ run }) => isOver(run.state));
    const accepted = this.#db.rows.size;
    act();
    for (const row of ended) {
      if (this.#db.rows.get(row.run.id) !== row)
        this.note(`the end of run ${row.run.id} was undone`);
    }
    if (this.#db.rows.size < accepted) this.note('an accepted run is gone');
  }

  #changed(before: RunRow, after: RunRow): void {
    const { id } = after.run;
    const events = after.events.slice(before.events.length).map(({ type }) => type);
    const say = (what: string): void => this.note(`run ${id} [${events.join(', ')}]: ${what}`);
    if (after.run.version !== after.events.length)
      say(`event ${after.run.version} is not its last`);
    if (isOver(before.run.state) && events.some((type) => type !== 'call.evidence')) {
      say(`it had ${before.run.state}, and is ${after.run.state} now`);
    }
    const isNext = after.run.turn === before.run.turn + 1;
    const grows = after.run.turn === before.run.turn && after.run.attempt >= before.run.attempt;
    if (!isNext && !grows) say('its turn or its attempt went back');
    if (events.includes('turn.resolved') && after.run.model !== `attempt ${before.run.attempt}`) {
      say(`attempt ${before.run.attempt} was answered by ${after.run.model}`);
    }
    for (const was of before.calls) {
      const is = after.calls.find((call) => call.id === was.id);
      if (!is || is.attempt < was.attempt) say(`the attempt of call ${was.id} went back`);
      else if (SETTLED.has(was.state) && is.state !== was.state) {
        say(`call ${was.id} had settled as ${was.state}, and is ${is.state} now`);
      } else if (is.attempt > was.attempt && before.run.state !== 'executing') {
        say(`call ${was.id} started while the run was ${before.run.state}`);
      }
    }
  }

  end(world: World): void {
    for (const row of this.#db.rows.values()) {
      const { id, state } = row.run;
      if (!isOver(state)) this.note(`run ${id} is still ${state}`);
      const ended = row.events.findIndex(({ type }) => type === 'run.ended');
      if (
        isOver(state) &&
        row.events.slice(ended + 1).some(({ type }) => type !== 'call.evidence')
      ) {
        this.note(`run ${id} goes on after its end`);
      }
      for (const call of row.calls) this.#called(row, call, world);
    }
  }

  #called({ events }: RunRow, call: RunRow['calls'][number], world: World): void {
    const { id, state, attempt, result } = call;
    const effects = world.tools.effectsOf(id);
    const effect = world.effectOf(id);
    const decided = (decision: string): number =>
      events.filter(
        ({ type, data }) =>
          type === 'call.decided' && data['callId'] === id && data['decision'] === decision,
      ).length;
    const retries = decided('retry');
    if (effect === 'once' && effects > 1 + retries) {
      this.note(
        `\`once\` call ${id} took effect ${effects} times, and people wanted it again ${retries} times`,
      );
    }
    if (state === 'succeeded' && effects === 0) this.note(`call ${id} succeeded without effect`);
    const isUntouched =
      state === 'denied' || (state === 'cancelled' && effect === 'once' && retries === 0);
    if (isUntouched && effects > 0) this.note(`${effect} call ${id} took effect and is ${state}`);
    const by = (result as { attempt?: number } | null)?.attempt;
    if (by !== undefined && by !== attempt) {
      this.note(`call ${id} bears the result of attempt ${by}, and its last is ${attempt}`);
    }
  }
}

function isOver(state: RunRow['run']['state']): boolean {
  return TERMINAL_RUN_STATES.has(state);
}
