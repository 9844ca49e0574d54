import {
  ERROR_CODES,
  type CallState,
  type ErrorCode,
  type RunOutcome,
  type RunState,
  visibleJson,
} from '#libs/contracts';
import { html, type Html } from './html.js';

/** Text longer than this is cut on a page; the API has all of it. */
const MAX_TEXT = 20_000;

/** "0.4 ms", "38 ms", "1.25 s", "2 min 5 s" */
export function duration(ms: number): string {
  if (ms < 0) return '0 ms';
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  if (ms < 59_950) return `${Number((ms / 1_000).toFixed(ms < 9_995 ? 2 : 1))} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** How long ago, in one unit: "4 s", "12 min", "3 h", "9 d" */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

export function cut(text: string, length = MAX_TEXT): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

export function prettyJson(value: unknown): string {
  return cut(visibleJson(value, 2));
}

/** A code that a newer process wrote may be unknown here. */
export function errorTitle(code: ErrorCode): string {
  return Object.hasOwn(ERROR_CODES, code) ? ERROR_CODES[code].title : 'It failed';
}

/** What a run came to, where that is not its calls. */
export function outcomeText(outcome: RunOutcome | undefined): string {
  if (outcome === 'irrelevant') return 'irrelevant: no tool fits';
  if (outcome === 'needs_input') return 'needs input';
  return outcome ?? '–';
}

type Tone = 'good' | 'bad' | 'warn' | 'busy' | 'calm';

/** A sign besides the colour: colour alone must never tell success from failure. */
const STATES: Record<RunState | CallState, [tone: Tone, sign: string]> = {
  queued: ['calm', '○'],
  inferring: ['busy', '◐'],
  cancelling: ['busy', '…'],
  expiring: ['busy', '…'],
  executing: ['busy', '◐'],
  succeeded: ['good', '✓'],
  failed: ['bad', '✕'],
  resolved: ['calm', '◇'],
  ready: ['calm', '○'],
  started: ['busy', '◐'],
  denied: ['warn', '⊘'],
  cancelled: ['calm', '–'],
  expired: ['bad', '✕'],
  awaiting_approval: ['warn', '?'],
  outcome_unknown: ['bad', '?'],
};

export function stateBadge(state: RunState | CallState): Html {
  const [tone, sign] = STATES[state];
  return html`<span class="badge ${tone}"
    ><span aria-hidden="true">${sign}</span> ${state.replaceAll('_', ' ')}</span
  >`;
}
