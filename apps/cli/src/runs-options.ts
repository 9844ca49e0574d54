import { type Command, InvalidArgumentError, Option } from 'commander';
import { ERROR_CODES, RUN_STATES } from '#libs/contracts';

/** What runs are chosen by, as the gateway's filter has it. */
export interface FilterChoice {
  state?: string[];
  code?: string;
  toolset?: string;
  after?: string;
  before?: string;
}

export function withFilter(command: Command): Command {
  return command
    .option('--state <states>', `one or more, by commas: ${RUN_STATES.join(', ')}`, readStates)
    .addOption(new Option('--code <code>', 'the error that they ended with').argParser(readCode))
    .option('--toolset <name>', 'their toolset')
    .option(
      '--after <time>',
      'accepted at this time or later, such as 2026-11-22T09:30:00Z',
      readTime,
    )
    .option('--before <time>', 'accepted before this time', readTime);
}

export function filterOf({ state, code, toolset, after, before }: FilterChoice): object {
  return {
    ...(state && { state }),
    ...(code !== undefined && { code }),
    ...(toolset !== undefined && { toolset }),
    ...(after !== undefined && { createdAfter: after }),
    ...(before !== undefined && { createdBefore: before }),
  };
}

/** A JSON value as an argument. */
export function readJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`It must be JSON: ${(error as Error).message}.`);
  }
}

function readStates(text: string): string[] {
  const states = text.split(',');
  const wrong = states.find((state) => !(RUN_STATES as readonly string[]).includes(state));
  if (wrong === undefined) return states;
  throw new InvalidArgumentError(`${JSON.stringify(wrong)} is none of ${RUN_STATES.join(', ')}.`);
}

function readCode(text: string): string {
  if (Object.hasOwn(ERROR_CODES, text)) return text;
  throw new InvalidArgumentError('docs/api.md has the codes.');
}

/** A time in any form that has a date; without a zone it is this machine's. */
function readTime(text: string): string {
  const time = Date.parse(text);
  if (!Number.isNaN(time) && /^\d{4}-\d\d-\d\d/.test(text)) return new Date(time).toISOString();
  throw new InvalidArgumentError('Give a time such as 2026-11-22T09:30:00Z.');
}
