import { type Command, InvalidArgumentError } from 'commander';
import { CALL_STATES, ERROR_CODES, RunFilter, type RunState } from '#libs/contracts';

/** What runs are chosen by, as the gateway's filter has it. */
export interface FilterChoice {
  state?: string[];
  callState?: string[];
  code?: string;
  toolset?: string;
  after?: string;
  before?: string;
}

/** @param states those that runs can be chosen by */
export function withFilter(command: Command, states: readonly RunState[]): Command {
  return command
    .option('--state <states>', `one or more, by commas: ${states.join(', ')}`, statesOf(states))
    .option(
      '--call-state <states>',
      `that have a call in one of these, by commas: ${CALL_STATES.join(', ')}`,
      statesOf(CALL_STATES),
    )
    .option('--code <code>', 'the error that they ended with', readCode)
    .option('--toolset <name>', 'their toolset')
    .option(
      '--after <time>',
      'accepted at this time or later, such as 2026-11-22T09:30:00Z',
      readTime,
    )
    .option('--before <time>', 'accepted before this time', readTime);
}

export function filterOf({ state, callState, code, toolset, after, before }: FilterChoice): object {
  return {
    ...(state && { state }),
    ...(callState && { callState }),
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

function statesOf(known: readonly string[]): (text: string) => string[] {
  return (text) => {
    const states = text.split(',');
    const wrong = states.find((state) => !known.includes(state));
    if (wrong === undefined) return states;
    throw new InvalidArgumentError(`${JSON.stringify(wrong)} is none of ${known.join(', ')}.`);
  };
}

function readCode(text: string): string {
  if (Object.hasOwn(ERROR_CODES, text)) return text;
  throw new InvalidArgumentError('docs/api.md has the codes.');
}

/** A time as the gateway takes it: with its zone. */
function readTime(text: string): string {
  const { data } = RunFilter.shape.createdAfter.safeParse(text);
  if (data !== undefined) return data;
  throw new InvalidArgumentError('Give a time with its zone, such as 2026-11-22T09:30:00Z.');
}
