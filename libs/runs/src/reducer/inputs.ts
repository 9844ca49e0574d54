import type {
  CallResult,
  ErrorRecord,
  EventType,
  MissingInput,
  ProbeResult,
} from '#libs/contracts';
import type { PlannedCall, RunRecord } from './records.js';

/** All that can happen to a run after its acceptance. */
export type RunInput =
  | { type: 'run.cancel'; by: string }
  /** Its deadline has passed, which the record says. */
  | { type: 'run.expire' }
  | { type: 'turn.claim'; holder: string; token: string }
  | ({ type: 'turn.resolve'; token: string } & TurnAnswered)
  | { type: 'turn.fail'; token: string; error: ErrorRecord; retryable: boolean }
  /** The holder hands the turn back because nobody could answer it now, for no fault of the turn: it costs no try. */
  | { type: 'turn.delay'; token: string; error: ErrorRecord; dueInMs: number }
  | { type: 'call.claim'; callId: string; holder: string; token: string }
  /** The holder hands the call back before it sent anything. */
  | { type: 'call.release'; callId: string; token: string }
  | { type: 'call.settle'; callId: string; token: string; result: CallResult }
  /** The tool was asked what became of a call. `absent`: it knows of no such call, and will not make it later. */
  | { type: 'call.probe'; callId: string; found: ProbeResult }
  /** A person lets a call go ahead, with these arguments, or not. */
  | { type: 'call.approve'; callId: string; by: string; argumentsHash: string; edited?: Arguments }
  | { type: 'call.deny'; callId: string; by: string; argumentsHash: string }
  /** A person found out what became of a call, or has it made again. */
  | { type: 'call.decide'; callId: string; by: string; decision: Decision };

type Arguments = Record<string, unknown>;
type Decision = { state: 'succeeded'; result: unknown } | { state: 'failed' } | { state: 'retry' };

/** What a turn came to. */
interface TurnAnswered {
  model: string;
  confidence: number;
  /** Calls with an effect execute unasked only above it. */
  confidenceThreshold: number;
  /** That the model read and wrote. */
  tokens: number;
  answer:
    | {
        outcome: 'calls';
        calls: readonly PlannedCall[];
        /** Ids of those that, with the same arguments, have succeeded in an earlier turn: a model that goes in circles. */
        repeated?: readonly string[];
      }
    | { outcome: 'irrelevant' | 'answer'; text: string }
    | { outcome: 'needs_input'; text: string; missing: MissingInput };
}

/**
 * Why an input changes nothing. `ended`: the run is over. `ending`: it is being cancelled or expires. `held`: a living
 * process has it in work. `not_due`: later. `fenced`: another claim came after. `settled`: that is decided already.
 * `other_arguments`: the call's are not those that were approved.
 * `unknown_state`: a newer version brought it into one that this version does not know.
 */
export type Refusal =
  | 'ended'
  | 'ending'
  | 'held'
  | 'not_due'
  | 'fenced'
  | 'settled'
  | 'no_such_call'
  | 'other_arguments'
  | 'unknown_state';

export interface NewEvent {
  type: EventType;
  data: Record<string, unknown>;
}

/** Work that became ready: a turn, or a call, which may be claimed `dueInMs` after the commit. */
export type Hinted =
  { kind: 'turn'; dueInMs: number } | { kind: 'call'; callId: string; dueInMs: number };

export interface Moved {
  refused?: undefined;
  run: RunRecord;
  /** None: the input was taken before, and only its answer was lost. */
  events: NewEvent[];
  hints: Hinted[];
}

export type Step = { refused: Refusal } | Moved;

/** Where chance comes in: a number from 0 to below 1. */
export type Random = () => number;
