import { RUN_STATES, type Run, type RunPage } from '#libs/contracts';
import type { Connection } from './api-client.js';
import { numberFrom } from './number-from.js';
import type { AddRunsCommand, Connect } from './runs-command.js';
import { type FilterChoice, filterOf, withFilter } from './runs-options.js';
import { plain, printJson, table } from './text.js';

const MOST_PER_PAGE = 100;
const MAX_QUERY = 60;

interface ListChoice extends FilterChoice, Connection {
  limit: number;
  cursor?: string;
  json?: true;
}

export function addRunsList(add: AddRunsCommand, connect: Connect): void {
  withFilter(
    add(
      'list',
      'Show runs, newest first. `--state failed,expired`: the dead letters. `--call-state awaiting_approval,outcome_unknown`: those that wait for a person.',
    ),
    RUN_STATES,
  )
    .option('--limit <n>', 'most of them', numberFrom(1, 10_000), 20)
    .option('--cursor <id>', '`next` of the list before')
    .option('--json', 'one JSON object {runs, next}')
    .action((choice: ListChoice) => list(connect, choice));
}

async function list(connect: Connect, choice: ListChoice): Promise<void> {
  const api = connect(choice);
  const runs: Run[] = [];
  let next = choice.cursor;
  do {
    const limit = Math.min(choice.limit - runs.length, MOST_PER_PAGE);
    const page = await api.get<RunPage>(`/v1/runs?${queryOf(choice, limit, next)}`);
    runs.push(...page.runs);
    ({ next } = page);
    // A page may be short, or empty, and not be the last one.
  } while (next !== undefined && runs.length < choice.limit);
  if (choice.json) {
    printJson({ runs, ...(next !== undefined && { next }) });
    return;
  }
  if (runs.length === 0) {
    console.error('no run fits');
    return;
  }
  const rows = runs.map((run) => [
    run.id,
    run.state,
    run.error?.code ?? run.outcome ?? '',
    plain(run.toolset),
    run.createdAt.slice(0, 19).replace('T', ' '),
    shorten(plain(run.query)),
  ]);
  console.log(table([['RUN', 'STATE', 'OUTCOME', 'TOOLSET', 'ACCEPTED', 'REQUEST'], ...rows]));
  if (next !== undefined) console.error(`there may be more: --cursor ${next}`);
}

function queryOf(choice: ListChoice, limit: number, cursor: string | undefined): string {
  const given = Object.entries({ ...filterOf(choice), limit, ...(cursor && { cursor }) });
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

function shorten(text: string): string {
  return text.length > MAX_QUERY ? `${text.slice(0, MAX_QUERY - 1)}…` : text;
}
