import { styleText } from 'node:util';
import { type Call, type Run, TERMINAL_RUN_STATES, visibleJson } from '#libs/contracts';
import type { Connection } from './api-client.js';
import type { AddRunsCommand, Connect } from './runs-command.js';
import { plain, printJson } from './text.js';

interface ShowChoice extends Connection {
  json?: true;
}

export function addRunsShow(add: AddRunsCommand, connect: Connect): void {
  add('show', 'Show a run: what was asked, its calls, and what they need from a person.')
    .argument('<run>', 'its id')
    .option('--json', 'the run as JSON')
    .action(async (id: string, choice: ShowChoice) => {
      printRun(await connect(choice).get<Run>(`/v1/runs/${encodeURIComponent(id)}`), choice);
    });
}

/** Shows a run to people, or to programs. */
export function printRun(run: Run, { json }: { json?: true }): void {
  if (json) printJson(run);
  else console.log([...head(run), ...run.calls.flatMap((call) => callLines(call, run))].join('\n'));
}

function head(run: Run): string[] {
  const { outcome, missing } = run;
  return [
    `${run.id}  ${paint(run.state)}${outcome ? ` · ${outcome}` : ''} · ${plain(run.toolset)}`,
    `  ${plain(run.query)}`,
    `  accepted ${run.createdAt}, ${run.endedAt ? `ended ${run.endedAt}` : `deadline ${run.deadline}`}`,
    ...(run.model === undefined
      ? []
      : [`  model ${plain(run.model)}, confidence ${run.confidence?.toFixed(2)}`]),
    ...(run.replayOf === undefined ? [] : [`  replays ${run.replayOf}`]),
    ...(run.answer === undefined ? [] : [`  answer: ${plain(run.answer)}`]),
    ...(missing
      ? [`  missing for ${plain(missing.tool)}: ${plain(missing.parameters.join(', '))}`]
      : []),
    ...(run.error ? [`  ${run.error.code}: ${plain(run.error.message)}`] : []),
  ];
}

function callLines(call: Call, run: Run): string[] {
  const { id, error, result, state, argumentsHash, askedArguments } = call;
  return [
    '',
    `${id}  ${paint(state)} · ${plain(call.name)} · ${call.effect}${call.turn > 1 ? ` · turn ${call.turn}` : ''}`,
    `  arguments ${visibleJson(call.arguments)}`,
    ...(askedArguments ? [`  the model asked for ${visibleJson(askedArguments)}`] : []),
    ...(result === undefined ? [] : [`  result ${visibleJson(result)}`]),
    ...(error ? [`  ${error.code}: ${plain(error.message)}`] : []),
    ...(state === 'awaiting_approval' && argumentsHash !== undefined
      ? ['approve', 'deny'].map(
          (word) => `  → npx hammerline runs ${word} ${run.id} ${id} --hash ${argumentsHash}`,
        )
      : []),
    ...(state === 'outcome_unknown' && !TERMINAL_RUN_STATES.has(run.state)
      ? [
          `  → look at the tool for the Idempotency-Key ${id}, then: succeeded, failed or retry`,
          `  → npx hammerline runs decide ${run.id} ${id} succeeded`,
        ]
      : []),
  ];
}

const COLOURS = {
  succeeded: 'green',
  failed: 'red',
  expired: 'red',
  outcome_unknown: 'red',
  denied: 'yellow',
  awaiting_approval: 'yellow',
} as const;

/** Only on a terminal, and not with NO_COLOR. */
function paint(state: Run['state'] | Call['state']): string {
  const colour = Object.hasOwn(COLOURS, state) ? COLOURS[state as keyof typeof COLOURS] : 'cyan';
  return styleText(colour, state, { stream: process.stdout });
}
