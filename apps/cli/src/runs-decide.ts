import { Argument, InvalidArgumentError } from 'commander';
import { OutcomeRequest, type Run } from '#libs/contracts';
import type { Connection } from './api-client.js';
import type { AddRunsCommand, Connect } from './runs-command.js';
import { readJsonText } from './runs-options.js';
import { printRun } from './runs-show.js';

interface DecideChoice extends Connection {
  hash: string;
  arguments?: unknown;
  result?: unknown;
  json?: true;
}

/** Adds what people decide about one run: `cancel`, `approve`, `deny`, `decide`. */
export function addRunsDecide(add: AddRunsCommand, connect: Connect): void {
  const decide = async (
    path: readonly string[],
    choice: DecideChoice,
    body?: object,
  ): Promise<void> => {
    const route = path.map((part) => `/${encodeURIComponent(part)}`).join('');
    printRun(await connect(choice).post<Run>(`/v1/runs${route}`, body), choice);
  };

  add('cancel', 'End a run: nothing new is started, what is in work is told to stop.')
    .argument('<run>', 'its id')
    .option('--json', 'the run as JSON')
    .action((run: string, choice: DecideChoice) => decide([run, 'cancel'], choice));

  for (const decision of ['approve', 'deny'] as const) {
    const command = add(
      decision,
      decision === 'approve'
        ? 'Let a call go ahead that awaits approval.'
        : 'Deny a call that awaits approval.',
    )
      .argument('<run>', 'id of the run')
      .argument('<call>', 'id of the call')
      .requiredOption(
        '--hash <hash>',
        'of the arguments that you looked at; `runs show` has it',
        readHash,
      )
      .option('--json', 'the run as JSON');
    if (decision === 'approve') {
      command.option(
        '--arguments <json>',
        'make the call with these instead: a JSON object',
        readJsonText,
      );
    }
    command.action((run: string, call: string, choice: DecideChoice) =>
      decide([run, 'calls', call, 'approval'], choice, {
        decision,
        argumentsHash: choice.hash,
        ...(choice.arguments !== undefined && { arguments: choice.arguments }),
      }),
    );
  }

  add('decide', 'Say what became of a call whose outcome is unknown, or have it made again.')
    .argument('<run>', 'id of the run')
    .argument('<call>', 'id of the call: its Idempotency-Key at the tool')
    .addArgument(
      new Argument('<outcome>', 'what you found out').choices(OutcomeRequest.shape.outcome.options),
    )
    .option('--result <json>', 'with `succeeded`: what the tool answered', readJsonText)
    .option('--json', 'the run as JSON')
    .action((run: string, call: string, outcome: string, choice: DecideChoice) =>
      decide([run, 'calls', call, 'outcome'], choice, {
        outcome,
        ...(choice.result !== undefined && { result: choice.result }),
      }),
    );
}

function readHash(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be the 64 hexadecimal digits that `runs show` prints.');
}
