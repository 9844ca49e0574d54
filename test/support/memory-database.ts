import { TERMINAL_RUN_STATES } from '#libs/contracts';
import type { Acceptance, NewRun } from '../../libs/runs/src/ledger/accept-runs.js';
import type { TurnClaim } from '../../libs/runs/src/ledger/claim-turns.js';
import type { RunChange } from '../../libs/runs/src/ledger/commit-runs.js';
import {
  HOLDER_DEAD_AFTER_S,
  type ClaimedTurn,
  type TurnInput,
} from '../../libs/runs/src/ledger/run-rows.js';
import {
  MAX_TRIES,
  type CallRecord,
  type NewEvent,
  type RunRecord,
} from '../../libs/runs/src/reducer/index.js';
import { FRESH } from './explore-runs.js';
import { MemoryWork } from './memory-work.js';

/** The log reaches the disk by itself after so long, whether or not a commit waits for it. */
const LAZY_FOR_MS = 600;

export type CallRow = Omit<CallRecord, 'held' | 'due'> & { readyAt: number };

/** A run with all that belongs to it. A row is replaced, never changed. Times are milliseconds. */
export interface RunRow {
  run: Omit<RunRecord, 'held' | 'due' | 'msLeft' | 'calls'>;
  calls: readonly CallRow[];
  events: readonly NewEvent[];
  messages: NewRun['messages'];
  dueAt: number;
  deadlineAt: number;
}

interface LogEntry {
  at: number;
  before: ReadonlyMap<string, RunRow>;
}

/**
 * The ledger's statements over rows in memory: each takes effect whole, at once, as Postgres does them. A crash undoes
 * lazy commits that no durable one followed.
 */
export class MemoryDatabase {
  readonly rows = new Map<string, RunRow>();
  readonly seenAt = new Map<string, number>();
  readonly toolsets = new Map<string, unknown>();
  readonly deletedTenants = new Set<string>();
  readonly now: () => number;
  /** Hears of each change of a run: as it was, and as it is. */
  onChange: (before: RunRow, after: RunRow) => void = () => undefined;
  readonly #keys = new Map<string, { runId: string; bodyHash: string }>();
  #undoable: LogEntry[] = [];
  #sweptAt = -Infinity;
  #sweeps = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  /** @returns false where others may have called it dead, and it must begin anew */
  beat(epoch: string): boolean {
    if (!this.isAlive(epoch)) return false;
    this.begin(epoch);
    return true;
  }

  begin(epoch: string): void {
    this.seenAt.set(epoch, this.now());
    this.#undoable = [];
  }

  isAlive(epoch: string): boolean {
    const seenAt = this.seenAt.get(epoch) ?? -Infinity;
    return seenAt > this.now() - HOLDER_DEAD_AFTER_S * 1_000;
  }

  /** @returns which sweep it is, if it is time for one */
  takeSweep(everyMs: number): number | undefined {
    if (this.now() - this.#sweptAt < everyMs) return undefined;
    this.#sweptAt = this.now();
    this.#sweeps += 1;
    return this.#sweeps;
  }

  accept(runs: readonly NewRun[]): Acceptance[] {
    return runs.map((run) => this.#accept(run));
  }

  #accept(run: NewRun): Acceptance {
    const { id, tenantId, idempotency, toolset } = run;
    if (idempotency) {
      const name = JSON.stringify([tenantId, idempotency.key]);
      const bodyHash = idempotency.bodyHash.toString('hex');
      const known = this.#keys.get(name);
      if (known && known.bodyHash !== bodyHash) return { kind: 'conflict' };
      if (known && known.runId !== id) return { kind: 'replayed', runId: known.runId };
      this.#keys.set(name, { runId: id, bodyHash });
    }
    if (this.rows.has(id)) return { kind: 'accepted' };
    this.toolsets.set(toolset.hash, JSON.parse(JSON.stringify(toolset.body)));
    this.rows.set(id, acceptedRow(run, this.now()));
    this.#undoable = [];
    return { kind: 'accepted' };
  }

  load(runIds: readonly string[], mayJudge: boolean): (RunRecord | undefined)[] {
    return runIds.map((id) => {
      const row = this.rows.get(id);
      return row && this.#record(row, mayJudge);
    });
  }

  /** As Postgres reads it: a copy, with the calls of the present turn. */
  #record({ run, calls, dueAt, deadlineAt }: RunRow, mayJudge: boolean): RunRecord {
    const now = this.now();
    const held = (holder: string | null): boolean =>
      holder !== null && (!mayJudge || this.isAlive(holder));
    const present = calls.filter(({ turn }) => turn === run.turn);
    return structuredClone({
      ...run,
      held: held(run.holder),
      due: dueAt <= now,
      msLeft: deadlineAt - now,
      calls: present.map(({ readyAt, ...call }) => ({
        ...call,
        held: held(call.holder),
        due: readyAt <= now,
      })),
    });
  }

  /** Whether what is not a turn's claim waits for the disk. */
  protected readonly waitsForDisk: boolean = true;

  /** @returns for each change whether nobody had moved its run on since it was read */
  commit(changes: readonly RunChange[]): boolean[] {
    const free = changes.filter(({ before }) => {
      const run = this.rows.get(before.id)?.run;
      return run?.version === before.version && run.token === before.token;
    });
    this.#write(
      this.waitsForDisk,
      new Map(free.map((change) => [change.before.id, this.#moved(change)])),
    );
    return changes.map((change) => free.includes(change));
  }

  #moved({ before, after, events, dueInMs }: RunChange): RunRow {
    const row = this.#row(before.id);
    const now = this.now();
    const { held: _held, due: _due, msLeft: _msLeft, calls, ...run } = after;
    const turnDueInMs = dueInMs.get('turn');
    const changed = calls.filter((call) => !before.calls.includes(call));
    const changedRows = changed.map(({ held: _h, due: _d, ...call }) => ({
      ...call,
      readyAt: now + (dueInMs.get(call.id) ?? 0),
    }));
    const ids = new Set(changed.map(({ id }) => id));
    const all = [...row.calls.filter(({ id }) => !ids.has(id)), ...changedRows];
    return {
      ...row,
      run: { ...run, version: before.version + events.length },
      calls: all.toSorted((a, b) => a.turn - b.turn || a.position - b.position),
      events: [...row.events, ...events],
      dueAt: turnDueInMs === undefined ? row.dueAt : now + turnDueInMs,
    };
  }

  claimTurns(claims: readonly TurnClaim[]): (ClaimedTurn | undefined)[] {
    return claims.map(({ runId, token, holder }) => {
      const row = this.rows.get(runId);
      const now = this.now();
      if (!row || row.run.state !== 'queued' || row.run.tries >= MAX_TRIES) return undefined;
      if (row.dueAt > now || row.deadlineAt <= now) return undefined;
      const { turn, attempt, tries, version } = row.run;
      const claimed: RunRow = {
        ...row,
        run: {
          ...row.run,
          state: 'inferring',
          version: version + 1,
          attempt: attempt + 1,
          tries: tries + 1,
          token,
          holder,
        },
        events: [...row.events, { type: 'turn.claimed', data: { turn, attempt: attempt + 1 } }],
      };
      this.#write(false, new Map([[runId, claimed]]));
      return { run: this.#record(claimed, false), ...this.turnInput(runId) };
    });
  }

  turnInput(runId: string): TurnInput {
    const { messages, calls, run } = this.#row(runId);
    const earlier = calls
      .filter(({ turn }) => turn < run.turn)
      .map((call) => ({
        id: call.id,
        turn: call.turn,
        name: call.name,
        arguments: call.arguments,
        state: call.state,
        result: call.result,
        error: call.error,
      }));
    return structuredClone({ messages, earlier });
  }

  findHalted(runIds: readonly string[]): string[] {
    return runIds.filter((id) => {
      const state = this.rows.get(id)?.run.state;
      return (
        state && (TERMINAL_RUN_STATES.has(state) || state === 'cancelling' || state === 'expiring')
      );
    });
  }

  /** What the sweep looks through. */
  get work(): MemoryWork {
    const open = [...this.rows.values()].filter(({ run }) => !TERMINAL_RUN_STATES.has(run.state));
    return new MemoryWork(open, this);
  }

  /** @param kept which part of the commits that nobody waited for has reached the disk, from 0 to 1 */
  crash(kept: number): void {
    const open = this.#undoable.filter(({ at }) => at > this.now() - LAZY_FOR_MS);
    const lost = open.slice(Math.floor(kept * (open.length + 1)));
    for (const { before } of lost.toReversed()) {
      for (const [id, row] of before) this.rows.set(id, row);
    }
    this.#undoable = [];
  }

  #write(waits: boolean, changed: ReadonlyMap<string, RunRow>): void {
    const before = new Map([...changed.keys()].map((id) => [id, this.#row(id)]));
    // The log is in order: what waits for the disk takes with it whatever came before.
    if (waits) this.#undoable = [];
    else this.#undoable.push({ at: this.now(), before });
    for (const [id, row] of changed) {
      this.rows.set(id, row);
      this.onChange(this.#rowIn(before, id), row);
    }
  }

  #row(id: string): RunRow {
    return this.#rowIn(this.rows, id);
  }

  #rowIn(rows: ReadonlyMap<string, RunRow>, id: string): RunRow {
    const row = rows.get(id);
    if (!row) throw new Error(`there is no run ${id}`);
    return row;
  }
}

function acceptedRow(accepted: NewRun, now: number): RunRow {
  const { expiresInS, toolset, messages, idempotency: _, ...run } = accepted;
  return {
    run: {
      ...run,
      ...FRESH,
      toolsetHash: toolset.hash,
    },
    calls: [],
    events: [{ type: 'run.accepted', data: { mode: run.mode, toolset: toolset.name } }],
    messages,
    dueAt: now,
    deadlineAt: now + expiresInS * 1_000,
  };
}
