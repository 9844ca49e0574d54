import {
  HammerlineError,
  type Message,
  type MissingInput,
  type ResolvedCall,
  type RunUntil,
} from '#libs/contracts';
import { decisionConfidence } from '#libs/hammer';
import { ATTR } from '#libs/telemetry';
import type { CompiledToolset, TurnAnswer } from '#libs/turn';
import type { Span } from '@opentelemetry/api';
import { askModel, tokensOf } from './ask-model.js';
import { closingWords, NO_TOOL_FITS } from './closing-words.js';
import type { Model } from './models/model.js';

const MAX_ANSWER_TOKENS = 512;
/** How often a model is told what is wrong with its answer and asked again. */
const MAX_REPAIRS = 1;

export interface TurnQuestion {
  toolset: CompiledToolset;
  /** The conversation up to this turn. */
  messages: readonly Message[];
  until: RunUntil;
  /** Whether earlier turns of the run made calls. */
  hasCalled: boolean;
  signal: AbortSignal;
}

export interface Resolution {
  /** Calls are under their real names, each validated against its tool. */
  answer:
    | { outcome: 'calls'; calls: readonly ResolvedCall[] }
    /** The model has no call: no tool fits, or all is done. */
    | { outcome: 'irrelevant'; text: string }
    | { outcome: 'answer'; text: string }
    | { outcome: 'needs_input'; text: string; missing: MissingInput };
  /** Probability, from 0 to 1, that the model gave its own decision; the least one where it was asked again. */
  confidence: number;
  /** Read and written by the model, over all its answers. */
  tokens: number;
}

/**
 * One turn's question to the model. An answer that is refused goes back to the model once, with what is wrong; so do words
 * in a run that wants calls. In a run that wants an answer, words are one, and where the model has no call it is asked for
 * words.
 *
 * Throws what the model throws; `invalid_call` when the repaired answer is refused too or gives up, or one does not end.
 * That is not retryable: decoding is greedy.
 */
export async function resolveTurn(model: Model, question: TurnQuestion): Promise<Resolution> {
  const { toolset, until, hasCalled, signal } = question;
  let { messages } = question;
  let confidence = 1;
  let tokens = 0;
  let refused: { error: HammerlineError; meantCalls: boolean } | undefined;
  for (let repair = 0; ; repair++) {
    const asked = await ask(model, { toolset, messages, repair, signal }).catch(
      (error: unknown) => {
        // Too long only with the repair in it: what is wrong is the answer that was to be repaired.
        const isLonger = error instanceof HammerlineError && error.code === 'context_overflow';
        throw isLonger && refused !== undefined ? refused.error : error;
      },
    );
    const { text, answer } = asked;
    confidence = Math.min(confidence, asked.confidence);
    tokens += asked.tokens;
    // Told that its call is wrong, a small model may well give up: that does not make the request irrelevant.
    const givesUp = answer.outcome === 'irrelevant' || answer.outcome === 'answer';
    if (givesUp && refused?.meantCalls) throw refused.error;
    switch (answer.outcome) {
      case 'calls':
        return { answer: { outcome: 'calls', calls: answer.calls }, confidence, tokens };
      case 'needs_input':
        return { answer: needFor(answer), confidence, tokens };
      case 'irrelevant': {
        if (until === 'calls') {
          return { answer: { outcome: 'irrelevant', text: NO_TOOL_FITS }, confidence, tokens };
        }
        const said = await closingWords(model, { messages: question.messages, hasCalled, signal });
        tokens += said.tokens;
        return { answer: { outcome: 'irrelevant', text: said.text }, confidence, tokens };
      }
      case 'answer':
        if (until === 'answer') return { answer, confidence, tokens };
        break;
      case 'invalid':
        break;
    }
    const fault = describeFault(answer);
    const error = new HammerlineError('invalid_call', fault.message);
    if (repair === MAX_REPAIRS) throw error;
    refused = { error, meantCalls: answer.outcome === 'invalid' };
    messages = [
      ...messages,
      { role: 'assistant', content: text },
      // Not as a tool's result: one of the prompts has a place for the user's words alone.
      { role: 'user', content: fault.request },
    ];
  }
}

function ask(
  model: Model,
  {
    toolset,
    messages,
    repair,
    signal,
  }: Pick<TurnQuestion, 'toolset' | 'messages' | 'signal'> & { repair: number },
) {
  const { masking, constraint, affinity } = toolset;
  const attributes = {
    [ATTR.repair]: repair,
    [ATTR.masked]: masking !== undefined,
    ...(masking && {
      [ATTR.maskNames]: Object.entries(masking.names.functions).map((pair) => pair.join('=')),
    }),
  };
  const prompt = toolset.prompt(messages);
  const request = { prompt, constraint, affinity, maxTokens: MAX_ANSWER_TOKENS, signal };
  return askModel(model, request, attributes, (generation, span) => {
    const { text, finishReason, usage } = generation;
    const confidence = decisionConfidence(generation.tokens);
    span.setAttribute(ATTR.confidence, confidence);
    if (finishReason === 'length') {
      // Not read, as the model may have meant to write more, and not repaired: it would run on again.
      const message = `The model's answer did not end within ${usage.outputTokens} tokens.`;
      throw new HammerlineError('invalid_call', message);
    }
    const answer = toolset.read(text);
    describe(answer, span);
    return { text, answer, confidence, tokens: tokensOf(generation) };
  });
}

function describe(answer: TurnAnswer, span: Span): void {
  span.setAttribute(ATTR.outcome, answer.outcome);
  if ('parser' in answer) span.setAttribute(ATTR.parser, answer.parser);
  if (answer.outcome !== 'calls') return;
  span.setAttributes({
    [ATTR.callsWritten]: answer.written.map(signature),
    [ATTR.callsResolved]: answer.calls.map(signature),
  });
}

function signature(call: ResolvedCall): string {
  return `${call.name}(${Object.keys(call.arguments).join(', ')})`;
}

function needFor({
  tool,
  parameters,
}: Extract<TurnAnswer, { outcome: 'needs_input' }>): Resolution['answer'] {
  const text = `The request does not say what ${tool} requires: ${parameters.join(', ')}.`;
  return { outcome: 'needs_input', text, missing: { tool, parameters: [...parameters] } };
}

/** What people are told of an answer that cannot be used, and the model that is asked for another one. */
function describeFault(answer: Extract<TurnAnswer, { outcome: 'answer' | 'invalid' }>): {
  message: string;
  request: string;
} {
  const { reason, message } =
    answer.outcome === 'invalid'
      ? answer
      : { reason: 'It holds no list of calls.', message: 'The answer holds no list of calls.' };
  return {
    message,
    request: `Your last answer cannot be used. ${reason} Give the corrected list of calls, and nothing else.`,
  };
}
