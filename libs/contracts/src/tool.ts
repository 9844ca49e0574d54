import type { ErrorRecord } from './error.js';

/** A JSON Schema, as an object. Which keywords it may hold is checked where tools are compiled (libs/tools). */
export type JsonSchema = Record<string, unknown>;

/** A function that the model may call, in the one shape used inside; `parameters` is a JSON Schema of type object. */
export interface ToolDefinition {
  name: string;
  description: string;
  parameters: JsonSchema;
}

/**
 * What a second execution of the same call would do: `read` changes nothing, `idempotent` changes nothing more,
 * `once` must not happen twice.
 */
export const EFFECTS = ['read', 'idempotent', 'once'] as const;
export type Effect = (typeof EFFECTS)[number];

/** Which calls wait for a person: each, those with an effect of which the model is unsure (else they are denied), or none. */
export const APPROVALS = ['always', 'unsure', 'never'] as const;
export type Approval = (typeof APPROVALS)[number];

/** A call as the model resolved it, under the tool's real name. */
export interface ResolvedCall {
  name: string;
  arguments: Record<string, unknown>;
}

/**
 * A piece of a call while the model still writes it. Each call of the answer gives one `name`, then any number of
 * `arguments` (joined, they are the JSON text of its arguments), then one `end`.
 */
export type CallDelta =
  | { type: 'name'; index: number; name: string }
  | { type: 'arguments'; index: number; text: string }
  | { type: 'end'; index: number };

/** What a tool says that is asked what became of a call. `absent`: it knows of no such call, and will not make it later. */
export type ProbeResult =
  | { state: 'succeeded'; result: unknown }
  | { state: 'absent' }
  /** It cannot tell, or did not; the reason is for people. */
  | { state: 'unclear'; reason: string };

/** What came of a call. `outcome_unknown`: it may have taken effect, and nobody may repeat it unasked. */
export type CallResult =
  | { state: 'succeeded'; result: unknown }
  | {
      state: 'failed';
      error: ErrorRecord;
      /** Why it may go better later: nothing was sent, or what was sent met a fault that passes. Absent: it will not. */
      mayRetry?: 'not_sent' | 'transient' | undefined;
    }
  | { state: 'outcome_unknown'; error: ErrorRecord };
