import { SERVING_FLAVOURS } from '#libs/hammer';
import { z } from 'zod';

/** Parameter of a Triton model's config.pbtxt that holds its card as JSON: what serves a model says how to ask it. */
export const CARD_PARAMETER = 'hammerline_card';

/** Most texts that end an answer. */
export const MOST_STOPS = 8;

/** What is known of a model before it is asked: how to prompt it, and how far its answers may be trusted. */
export const ModelCard = z.strictObject({
  /** Shown on every result, so that nobody takes one model's answer for another's. */
  name: z.string().min(1).max(128),
  /** The prompt that the model was trained on. */
  flavour: z.enum(SERVING_FLAVOURS),
  /** Most calls in one answer. A model that was trained on single calls would repeat itself if it could go on. */
  maxCalls: z.number().int().min(1).max(64).default(8),
  /** Tokens that prompt and answer may take together. */
  contextTokens: z.number().int().min(256),
  /** Texts that end an answer; the first is the model's own end of turn. */
  stop: z.array(z.string().min(1)).min(1).max(MOST_STOPS).default(['<|im_end|>']),
  /** Whether it answers as well with masked names, having been trained on them. */
  maskTrained: z.boolean(),
  /** Whether it can also be talked to: asked without tools it answers in words that are of use. */
  chat: z.boolean().default(false),
  /**
   * A call with an effect executes without approval only if the decision's confidence is above this number. 1 for a
   * model that was not calibrated: no confidence is above 1.
   */
  confidenceThreshold: z.number().min(0).max(1).default(1),
});
export type ModelCard = Readonly<z.infer<typeof ModelCard>>;
