import { Option } from 'commander';
import {
  HammerlineError,
  type ReplayReport,
  ReplayRequest,
  TERMINAL_RUN_STATES,
} from '#libs/contracts';
import type { Connection } from './api-client.js';
import type { AddRunsCommand, Connect } from './runs-command.js';
import { type FilterChoice, filterOf, withFilter } from './runs-options.js';
import { printJson } from './text.js';

interface ReplayChoice extends FilterChoice, Connection {
  once?: NonNullable<ReplayRequest['once']>;
  again?: true;
  yes?: true;
  json?: true;
}

/** Something was counted, and is begun only once somebody says so. */
export class NotConfirmed extends HammerlineError {
  constructor(message: string) {
    super('invalid_request', message);
  }
}

export function addRunsReplay(add: AddRunsCommand, connect: Connect): void {
  withFilter(
    add(
      'replay',
      'Do ended runs again, as new runs that keep what was done. It counts first; --yes begins. Without ids and --state: those that failed or expired.',
    ).argument('[runs...]', 'ids'),
    [...TERMINAL_RUN_STATES],
  )
    .addOption(
      new Option(
        '--once <choice>',
        'what becomes of `once` calls that failed or are unknown: keep takes them as failed, retry makes them again',
      ).choices(ReplayRequest.shape.once.unwrap().options),
    )
    .option('--again', 'with ids: also those that have been replayed before')
    .option('--yes', 'begin')
    .option('--json', 'the report as JSON')
    .action((ids: string[], choice: ReplayChoice) => replay(connect, ids, choice));
}

async function replay(connect: Connect, ids: string[], choice: ReplayChoice): Promise<void> {
  const api = connect(choice);
  const given = { ...(ids.length > 0 && { ids }), ...filterOf(choice) };
  const request = {
    // All that failed or expired, where nothing is said: the gateway wants that in words.
    filter: Object.keys(given).length > 0 ? given : { state: ['failed', 'expired'] },
    ...(choice.once && { once: choice.once }),
    ...(choice.again && { again: true }),
  };
  const counted = await api.post<ReplayReport>('/v1/runs/replay', { ...request, dryRun: true });
  const isBegun = choice.yes === true && counted.replayable > 0;
  const report = isBegun ? await api.post<ReplayReport>('/v1/runs/replay', request) : counted;
  if (choice.json) printJson(report);
  else {
    console.log(countsText(counted));
    for (const { id, replayOf } of report.runs) console.log(`${id}  replays ${replayOf}`);
  }
  if (counted.replayable > 0 && !isBegun) {
    throw new NotConfirmed('nothing was begun: the same with --yes begins');
  }
  if (counted.needsChoice > 0 && !isBegun) {
    throw new NotConfirmed('nothing was begun: choose --once keep or --once retry');
  }
  if (isBegun && counted.replayable > report.limit) {
    console.error(
      `${report.runs.length} were begun, as many as one request may: call it again for the rest`,
    );
  }
}

function countsText(counted: ReplayReport): string {
  const lines: [count: number, text: string][] = [
    [counted.matched, 'match and are over'],
    [counted.replayable, 'can be replayed'],
    [
      counted.needsChoice,
      'have `once` calls that failed or are unknown: choose --once keep or --once retry',
    ],
    [counted.alreadyReplayed, 'were replayed before: name them and say --again'],
    [counted.nothingToDo, 'have nothing to do again'],
  ];
  return [
    ...lines
      .filter(([count], index) => index < 2 || count > 0)
      .map(([count, text]) => `${String(count).padStart(6)}  ${text}`),
    ...(counted.complete ? [] : ['Older runs were not looked at: --before reaches them.']),
  ].join('\n');
}
