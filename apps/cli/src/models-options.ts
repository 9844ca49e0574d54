import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SERVING_FLAVOURS, type ServingFlavour } from '#libs/hammer';
import { type AdapterChoices, type CardChoices, MOST_STOPS } from '#libs/models';
import { numberFrom } from './number-from.js';

/** What can be said of a model instead of what is read from it; for `pull` and `add`. */
export interface ModelChoice {
  name?: string;
  flavour?: ServingFlavour;
  context?: number;
  stop?: string[];
  maskTrained?: boolean;
  maxCalls?: number;
  threshold?: number;
  adapter?: AdapterChoices;
}

export function withModelOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--flavour <flavour>',
        'the prompt; default: by its names for a Hammer model, else compact',
      ).choices(SERVING_FLAVOURS),
    )
    .option(
      '--context <tokens>',
      'tokens that prompt and answer may take together; default: 16384 for safetensors, 8192 for GGUF, or what it was trained for',
      numberFrom(256, 10_000_000),
    )
    .option('--stop <text>', 'a text that ends an answer; may be repeated', addStop)
    .option('--mask-trained', 'it was trained on masked names; default: so for Hammer models')
    .option('--no-mask-trained', 'it was not')
    .option('--max-calls <n>', 'most calls of an answer; default: 8', numberFrom(1, 64))
    .option(
      '--threshold <confidence>',
      'above it calls with effects execute without approval; default: 1, never',
      readShare,
    )
    .option(
      '--adapter <adapter>',
      'a LoRA adapter: PATH of a GGUF one that is always applied, or NAME=PATH (for safetensors a folder) of one that ' +
        'MODEL_LORA names; may be repeated',
      readAdapter,
    );
}

export function cardChoices(choice: ModelChoice): CardChoices {
  return {
    flavour: choice.flavour,
    contextTokens: choice.context,
    stop: choice.stop,
    maskTrained: choice.maskTrained,
    maxCalls: choice.maxCalls,
    confidenceThreshold: choice.threshold,
  };
}

export function adapterChoices(choice: ModelChoice): AdapterChoices {
  return choice.adapter ?? { named: {} };
}

function readAdapter(text: string, earlier: AdapterChoices = { named: {} }): AdapterChoices {
  const [, name, path] = /^([A-Za-z0-9][\w.-]*)=(.+)$/.exec(text) ?? [];
  if (name !== undefined && path !== undefined) {
    if (Object.hasOwn(earlier.named, name))
      throw new InvalidArgumentError(`There are two adapters ${name}.`);
    return { ...earlier, named: { ...earlier.named, [name]: path } };
  }
  if (text === '' || (text.includes('=') && !existsSync(text))) {
    throw new InvalidArgumentError(
      'It must be PATH or NAME=PATH; a name has letters, digits, dots, dashes and underscores.',
    );
  }
  if (earlier.always !== undefined) {
    throw new InvalidArgumentError('One adapter can always be applied; give the others names.');
  }
  return { ...earlier, always: text };
}

function addStop(text: string, earlier: string[] = []): string[] {
  if (text === '') throw new InvalidArgumentError('It must not be empty.');
  if (earlier.length === MOST_STOPS) throw new InvalidArgumentError(`Give at most ${MOST_STOPS}.`);
  return [...earlier, text];
}

/** The name of a model, as an argument. */
export function readName(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must not be empty.');
  return text;
}

function readShare(text: string): number {
  const share = Number(text);
  if (text.trim() !== '' && share >= 0 && share <= 1) return share;
  throw new InvalidArgumentError('It must be a number from 0 to 1.');
}
