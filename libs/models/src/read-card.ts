import { invalidRequest } from '#libs/contracts';
import { flavourOf, type ServingFlavour } from '#libs/hammer';
import { ModelCard } from './model-card.js';

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

/**
 * The card of a model from its name, its weights and the user's word, which counts most.
 *
 * A model that is no Hammer gets the prompt `compact`. None was calibrated here, so a call with an effect needs approval
 * unless the user gives a threshold.
 *
 * @throws HammerlineError `invalid_request` for a choice that the model cannot keep
 */
export function readCard(
  name: string,
  format: 'gguf' | 'safetensors',
  traits: Traits,
  choices: CardChoices = {},
): ModelCard {
  const known = flavourOf(name);
  const flavour = choices.flavour ?? known ?? 'compact';
  const trained = traits.contextTokens ?? Infinity;
  if (choices.contextTokens !== undefined && choices.contextTokens > trained) {
    throw invalidRequest({
      pointer: '--context',
      detail: `${name} was trained for ${trained} tokens, not for ${choices.contextTokens}`,
      mend: `give at most ${trained}`,
    });
  }
  const stop = choices.stop ?? [...new Set([TURN_END, ...traits.endTokens])];
  return ModelCard.parse({
    name: name.slice(0, 128),
    flavour,
    maxCalls: choices.maxCalls,
    contextTokens: choices.contextTokens ?? Math.min(trained, USUAL_CONTEXT[format]),
    stop: stop.slice(0, 8),
    // All Hammer models were.
    maskTrained: choices.maskTrained ?? (known !== undefined || flavour !== 'compact'),
    confidenceThreshold: choices.confidenceThreshold,
  });
}
