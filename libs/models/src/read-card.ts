import { invalidRequest } from '#libs/contracts';
import { flavourOf, type ServingFlavour } from '#libs/hammer';
import { ModelCard, MOST_STOPS } from './model-card.js';

/** What the weights say of themselves. */
export interface Traits {
  /** Tokens that the model was trained to hold. */
  readonly contextTokens: number | undefined;
  /** Texts of the tokens that end an answer. */
  readonly endTokens: readonly string[];
}

/** What a user says of a model, instead of what can be read or guessed. */
export interface CardChoices {
  readonly flavour?: ServingFlavour | undefined;
  readonly contextTokens?: number | undefined;
  readonly stop?: readonly string[] | undefined;
  readonly maskTrained?: boolean | undefined;
  readonly maxCalls?: number | undefined;
  readonly confidenceThreshold?: number | undefined;
}

/**
 * Tokens that prompt and answer may take together where nothing else is said. Less than the Hammer models were trained
 * for (32,768), as every sequence takes memory for it: a server shares its memory among its requests, while llama.cpp
 * sets it aside for each slot.
 */
const USUAL_CONTEXT = { safetensors: 16_384, gguf: 8_192 };

/** Every flavour writes its turns so, whatever else a tokenizer calls its end. */
const TURN_END = '<|im_end|>';

/** What a model is called, and what its weights say. */
export interface CardSource extends Traits {
  readonly name: string;
  /** Its other names, such as its file's; the first of a Hammer model decides on the prompt. */
  readonly aliases?: readonly (string | undefined)[];
  readonly format: 'gguf' | 'safetensors';
}

/**
 * The card of a model from its names, its weights and the user's word, which counts most.
 *
 * A model that is no Hammer gets the prompt `compact`. None was calibrated here, so a call with an effect needs approval
 * unless the user gives a threshold.
 *
 * @throws HammerlineError `invalid_request` for a choice that the model cannot keep, or a model that no card can hold
 */
export function readCard(source: CardSource, choices: CardChoices = {}): ModelCard {
  const { name, aliases = [], format, endTokens } = source;
  const known = [...aliases, name].map((alias) => flavourOf(alias ?? '')).find(Boolean);
  const flavour = choices.flavour ?? known ?? 'compact';
  const trained = source.contextTokens ?? Infinity;
  if (choices.contextTokens !== undefined && choices.contextTokens > trained) {
    throw invalidRequest({
      pointer: '--context',
      detail: `${name} was trained for ${trained} tokens, not for ${choices.contextTokens}`,
      mend: `give at most ${trained}`,
    });
  }
  const isHammer = known !== undefined || flavour !== 'compact';
  const ends = [...new Set([TURN_END, ...endTokens])].filter(Boolean).slice(0, MOST_STOPS);
  const card = ModelCard.safeParse({
    name: name.slice(0, 128),
    flavour,
    maxCalls: choices.maxCalls,
    contextTokens: choices.contextTokens ?? Math.min(trained, USUAL_CONTEXT[format]),
    stop: choices.stop ?? ends,
    // All Hammer models were, and their own client talks to them, too.
    maskTrained: choices.maskTrained ?? isHammer,
    chat: isHammer,
    confidenceThreshold: choices.confidenceThreshold,
  });
  if (card.success) return card.data;
  const faults = card.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw invalidRequest({
    pointer: name,
    detail: `its card cannot be written (${faults.join('; ')})`,
    mend: 'give what fits with the options of `hammerline models`, or take another model',
  });
}
