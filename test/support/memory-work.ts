import type { ReadyPage, Work } from '../../libs/runs/src/ledger/find-work.js';
import type { CallRow, MemoryDatabase, RunRow } from './memory-database.js';

/** Work is left so long to the hint that was sent with its commit. */
const GRACE_MS = 1_000;

/** What of the open runs waits for somebody: as find-work.ts finds it. */
export class MemoryWork {
  readonly #open: readonly RunRow[];
  readonly #db: Pick<MemoryDatabase, 'now' | 'isAlive' | 'deletedTenants'>;

  constructor(
    open: readonly RunRow[],
    db: Pick<MemoryDatabase, 'now' | 'isAlive' | 'deletedTenants'>,
  ) {
    this.#open = open;
    this.#db = db;
  }

  findOverdue(limit: number): string[] {
    return this.#open
      .filter(({ run, deadlineAt }) => deadlineAt <= this.#db.now() && !isEnding(run.state))
      .toSorted((a, b) => a.deadlineAt - b.deadlineAt)
      .slice(0, limit)
      .map(({ run }) => run.id);
  }

  findOrphaned(limit: number): string[] {
    return this.#open
      .filter(({ run }) => this.#db.deletedTenants.has(run.tenantId) && !isEnding(run.state))
      .slice(0, limit)
      .map(({ run }) => run.id);
  }

  findAbandoned(limit: number): Work[] {
    const isDead = (holder: string | null): boolean => holder !== null && !this.#db.isAlive(holder);
    return this.#open
      .flatMap((row) =>
        row.run.state === 'inferring'
          ? isDead(row.run.holder)
            ? [workOf(row)]
            : []
          : presentCalls(row)
              .filter(({ state, holder }) => state === 'started' && isDead(holder))
              .map((call) => workOf(row, call)),
      )
      .slice(0, limit);
  }

  findReady(cursor: string | undefined, limit: number): ReadyPage {
    const old = this.#db.now() - GRACE_MS;
    const page = this.#open
      .filter(({ run }) => cursor === undefined || run.id > cursor)
      .toSorted((a, b) => (a.run.id < b.run.id ? -1 : 1))
      .slice(0, limit);
    const work = page.flatMap((row) => {
      const calls = presentCalls(row).filter(
        ({ state, hasProbe, readyAt }) =>
          (state === 'ready' || (state === 'outcome_unknown' && hasProbe)) && readyAt < old,
      );
      if (calls.length > 0) return calls.map((call) => workOf(row, call));
      return row.run.state === 'queued' && row.dueAt < old ? [workOf(row)] : [];
    });
    return { work, cursor: page.length < limit ? undefined : page.at(-1)?.run.id };
  }
}

function presentCalls({ run, calls }: RunRow): readonly CallRow[] {
  return calls.filter(({ turn }) => turn === run.turn);
}

function isEnding(state: string): boolean {
  return state === 'cancelling' || state === 'expiring';
}

function workOf({ run, deadlineAt }: RunRow, call?: CallRow): Work {
  const { id: runId, traceparent, tenantId, priority, turn, cost } = run;
  return {
    tenantId,
    priority,
    turn,
    cost,
    deadlineAtMs: Math.round(deadlineAt),
    hint: call
      ? { kind: 'call', runId, callId: call.id, traceparent }
      : { kind: 'turn', runId, traceparent },
  };
}
