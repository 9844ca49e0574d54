import type { CallState, RunState } from '#libs/contracts';
import { explore, type Seen } from './explore-runs.js';

/**
 * What the reducer does, as two Markdown tables: a run's states by input, and a call's. In a cell, where it may go; an
 * empty cell changes nothing. A state that stays is not shown where it can also change.
 */
export function transitionTables(): { run: string; call: string } {
  const seen = explore();
  return {
    run: table(
      'run',
      seen.flatMap(({ before, input, step }) =>
        step.refused || step.events.length === 0
          ? []
          : [{ from: before.state, by: input.type, to: step.run.state }],
      ),
    ),
    call: table('call', seen.flatMap(callMove)),
  };
}

interface Move {
  from: RunState | CallState;
  by: string;
  to: RunState | CallState;
}

function callMove({ before, input, step }: Seen): Move[] {
  const [was] = before.calls;
  if (!was || step.refused || step.events.length === 0) return [];
  const is = step.run.calls.find(({ id }) => id === was.id);
  if (!is || (is.state === was.state && !('callId' in input))) return [];
  return [{ from: was.state, by: input.type, to: is.state }];
}

function table(what: string, moves: readonly Move[]): string {
  const rows = new Map<string, Map<string, Set<string>>>();
  for (const { from, by, to } of moves) {
    const row = rows.get(from) ?? new Map<string, Set<string>>();
    rows.set(from, row);
    row.set(by, (row.get(by) ?? new Set()).add(to));
  }
  const inputs = [...new Set(moves.map(({ by }) => by))].toSorted();
  const lines = inputs.map((input) => {
    const cells = [...rows.values()].map((row) =>
      [...(row.get(input) ?? [])].toSorted().join(', '),
    );
    return `| \`${input}\` | ${cells.join(' | ')} |`;
  });
  return [
    `| input \\ ${what} | ${[...rows.keys()].join(' | ')} |`,
    `|---|${'---|'.repeat(rows.size)}`,
    ...lines,
  ].join('\n');
}
