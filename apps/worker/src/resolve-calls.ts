import { HammerlineError, type Message, type ResolvedCall } from '#libs/contracts';
import { decisionConfidence } from '#libs/hammer';
import { ATTR, inSpan } from '#libs/telemetry';
import type { CompiledToolset, TurnAnswer } from '#libs/turn';
import { SpanKind, type Span } from '@opentelemetry/api';
import type { Model } from './models/model.js';

const MAX_ANSWER_TOKENS = 512;
/** How often a model is told what is wrong with its answer and asked again. */
const MAX_REPAIRS = 1;

export interface Resolution {
  calls: readonly ResolvedCall[];
  /** Probability, from 0 to 1, that the model gave its own decision; the least one where it was asked again. */
  confidence: number;
}

/**
 * One turn's question to the model: its calls under their real names, each validated against its tool. No call: no tool
 * fits. An answer that is refused goes back to the model once, with what is wrong.
 *
 * Throws what the model throws; `needs_input` when the request lacks something that a tool requires; `invalid_call`
 * when the repaired answer is refused too or is a refusal, or one does not end. Neither is retryable: decoding is greedy.
 */
export async function resolveCalls(
  model: Model,
  toolset: CompiledToolset,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<Resolution> {
  let conversation = messages;
  let leastConfidence = 1;
  let refused: { error: HammerlineError; meantCalls: boolean } | undefined;
  for (let repair = 0; ; repair++) {
    const question = { model, toolset, messages: conversation, repair, signal };
    const { text, answer, confidence } = await ask(question).catch((error: unknown) => {
      // Too long only with the repair in it: what is wrong is the answer that was to be repaired.
      const isLonger = error instanceof HammerlineError && error.code === 'context_overflow';
      throw isLonger && refused !== undefined ? refused.error : error;
    });
    leastConfidence = Math.min(leastConfidence, confidence);
    switch (answer.outcome) {
      case 'calls':
        return { calls: answer.calls, confidence: leastConfidence };
      case 'irrelevant':
        // Told that its call is wrong, a small model may well give up: that does not make the request irrelevant.
        if (refused?.meantCalls) throw refused.error;
        return { calls: [], confidence: leastConfidence };
      case 'needs_input':
        throw new HammerlineError('needs_input', describeNeed(answer));
      case 'answer':
      case 'invalid': {
        const fault = describeFault(answer);
        const error = new HammerlineError('invalid_call', fault.message);
        if (repair === MAX_REPAIRS) throw error;
        refused = { error, meantCalls: answer.outcome === 'invalid' };
        conversation = [
          ...conversation,
          { role: 'assistant', content: text },
          // Not as a tool's result: one of the prompts leaves out all roles but this.
          { role: 'user', content: fault.request },
        ];
      }
    }
  }
}

interface Question {
  model: Model;
  toolset: CompiledToolset;
  messages: readonly Message[];
  repair: number;
  signal: AbortSignal;
}

function ask({ model, toolset, messages, repair, signal }: Question) {
  const { card } = model;
  const { masking } = toolset;
  const attributes = {
    [ATTR.genAiOperation]: 'chat',
    [ATTR.genAiProvider]: model.runtime,
    [ATTR.genAiRequestModel]: card.name,
    [ATTR.genAiRequestMaxTokens]: MAX_ANSWER_TOKENS,
    [ATTR.repair]: repair,
    [ATTR.masked]: masking !== undefined,
    ...(masking && {
      [ATTR.maskNames]: Object.entries(masking.names.functions).map((pair) => pair.join('=')),
    }),
  };
  return inSpan(`chat ${card.name}`, { kind: SpanKind.CLIENT, attributes }, async (span) => {
    const generation = await model.generate({
      prompt: toolset.prompt(messages),
      constraint: toolset.constraint,
      affinity: toolset.affinity,
      maxTokens: MAX_ANSWER_TOKENS,
      signal,
    });
    const confidence = decisionConfidence(generation.tokens);
    span.setAttributes({
      [ATTR.genAiResponseFinishReasons]: [generation.finishReason],
      [ATTR.genAiTimeToFirstChunk]: generation.firstTokenMs / 1_000,
      [ATTR.genAiInputTokens]: generation.usage.inputTokens,
      [ATTR.genAiOutputTokens]: generation.usage.outputTokens,
      [ATTR.confidence]: confidence,
    });
    if (generation.finishReason === 'length') {
      // Not read, as the model may have meant to write more, and not repaired: it would run on again.
      const message = `The model's answer did not end within ${generation.usage.outputTokens} tokens.`;
      throw new HammerlineError('invalid_call', message);
    }
    const answer = toolset.read(generation.text);
    describe(answer, span);
    return { text: generation.text, answer, confidence };
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

function describeNeed({
  tool,
  parameters,
}: {
  tool: string;
  parameters: readonly string[];
}): string {
  return `The request does not say what ${tool} requires: ${parameters.join(', ')}.`;
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
