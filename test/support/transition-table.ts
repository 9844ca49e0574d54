import { CALL_STATES, RUN_STATES, type CallState, type RunState } from '#libs/contracts';
import { explore, type Seen } from './explore-runs.js';

const BEGIN = '<!-- transitions: begin -->\n';
const END = '<!-- transitions: end -->';

/**
 * What the reducer does, as two Markdown tables: a run's states by input, and a call's. In a cell, where it may go; an
 * empty cell changes nothing.
 */
export function transitionTables(): string {
  const seen = explore();
  const runs = table('run', RUN_STATES, seen.flatMap(runMove));
  const calls = table('call', CALL_STATES, seen.flatMap(callMove));
  return `<!-- prettier-ignore-start -->\n${runs}\n\n${calls}\n<!-- prettier-ignore-end -->\n`;
}

/** What of a page stands between the two comments; with `replacement`, the page with that in its place. */
export function generatedPart(page: string, replacement?: string): string {
  const from = page.indexOf(BEGIN) + BEGIN.length;
  const to = page.indexOf(END);
  if (from < BEGIN.length || to < from) throw new Error(`the page lacks ${BEGIN.trim()} … ${END}`);
  return replacement === undefined
    ? page.slice(from, to)
    : page.slice(0, from) + replacement + page.slice(to);
}

interface Move {
  from: RunState | CallState;
  by: string;
  to: RunState | CallState;
}

function runMove({ before, input, step }: Seen): Move[] {
  if (step.refused || step.events.length === 0) return [];
  return [{ from: before.state, by: input.type, to: step.run.state }];
}

function callMove({ before, input, step }: Seen): Move[] {
  if (step.refused || step.events.length === 0) return [];
  const { events, run } = step;
  return before.calls.flatMap((was) => {
    const is = run.calls.find(({ id }) => id === was.id);
    const isMeant = events.some(({ data }) => data['callId'] === was.id);
    if (!is || (is.state === was.state && !isMeant)) return [];
    return [{ from: was.state, by: input.type, to: is.state }];
  });
}

function table(what: string, states: readonly string[], moves: readonly Move[]): string {
  const cell = (from: string, by: string): string =>
    states
      .filter((to) => moves.some((m) => m.from === from && m.by === by && m.to === to))
      .join(', ');
  const columns = states.filter((state) => moves.some(({ from }) => from === state));
  const inputs = [...new Set(moves.map(({ by }) => by))].toSorted();
  const row = (first: string, rest: readonly string[]): string =>
    `| ${first} | ${rest.join(' | ')} |`;
  return [
    row(`input \\ ${what}`, columns),
    `|---|${'---|'.repeat(columns.length)}`,
    ...inputs.map((by) =>
      row(
        `\`${by}\``,
        columns.map((from) => cell(from, by)),
      ),
    ),
  ].join('\n');
}
