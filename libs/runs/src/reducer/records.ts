import type {
  Approval,
  Budget,
  CallState,
  Effect,
  ErrorRecord,
  MaskMode,
  MissingInput,
  ResolvedCall,
  RunMode,
  RunOutcome,
  RunState,
  RunUntil,
} from '#libs/contracts';

/** A run as the ledger holds it, with the calls of its present turn, and what the ledger saw as it read it. */
export interface RunRecord {
  id: string;
  tenantId: string;
  state: RunState;
  /** Number of the run's last event; every write compares and sets it. */
  version: number;
  mode: RunMode;
  until: RunUntil;
  budget: Budget;
  mask: MaskMode;
  priority: number;
  /** What a turn is reckoned to cost before it is known: tokens to read and write. */
  cost: number;
  toolsetHash: string;
  traceparent: string;
  /** The present question to the model, from 1. */
  turn: number;
  /** Claims of this turn so far; only grows. */
  attempt: number;
  /** Claims that count towards the tries of a turn: all but those that were handed back unanswered. */
  tries: number;
  /** Of the last claim of the turn. It outlives the turn's answer, so that an answer that comes twice is known. */
  token: string | null;
  /** Epoch of the process that has the turn in work. */
  holder: string | null;
  outcome: RunOutcome | null;
  model: string | null;
  confidence: number | null;
  reply: Reply | null;
  error: ErrorRecord | null;
  /** Calls that the run has resolved, of all turns. */
  callsMade: number;
  /** Tokens that the model has read and written for the run. */
  tokens: number;
  calls: CallRecord[];

  // What the ledger saw when it read the row; never stored.
  /** Whether the turn's holder is alive, or cannot be judged now. */
  held: boolean;
  /** Whether the turn may be claimed now. */
  due: boolean;
  /** Milliseconds until the deadline, at the reading; negative after it. */
  msLeft: number;
}

/** What the model says at the end, and what it misses. */
export interface Reply {
  text: string;
  missing?: MissingInput;
}

export interface CallRecord extends PlannedCall {
  turn: number;
  position: number;
  state: CallState;
  /** Claims so far; only grows. */
  attempt: number;
  /** Claims that count towards the tries of a call: all but those that were handed back unsent. */
  tries: number;
  /** Of the last claim. */
  token: string | null;
  /** Epoch of the process that has it in work, or had it when its outcome became unknown. */
  holder: string | null;
  /** What the model asked for, where a person let the call go ahead with other arguments. */
  asked: Record<string, unknown> | null;
  result: unknown;
  error: ErrorRecord | null;

  /** As a run's. */
  held: boolean;
  due: boolean;
}

/** A call as a turn resolved it, with what its tool says of it. */
export interface PlannedCall extends ResolvedCall {
  id: string;
  effect: Effect;
  approval: Approval;
  /** Whether the tool can be asked what became of the call. */
  hasProbe: boolean;
}

/** Calls that something is still to happen to before their turn is over. */
export function isOpen({ state }: CallRecord): boolean {
  return (
    state === 'awaiting_approval' ||
    state === 'ready' ||
    state === 'started' ||
    state === 'outcome_unknown'
  );
}
