import {
  HammerlineError,
  type Message,
  type ResolvedCall,
  type ToolDefinition,
} from '#libs/contracts';
import { compileGrammar, decisionConfidence, parseCalls, renderPrompt } from '#libs/hammer';
import { maskTools } from '#libs/masking';
import { ATTR, inSpan } from '#libs/telemetry';
import { compileValidators } from '#libs/tools';
import { SpanKind } from '@opentelemetry/api';
import type { Model } from './models/model.js';

const MAX_ANSWER_TOKENS = 512;

export interface Resolution {
  calls: ResolvedCall[];
  /** Probability, from 0 to 1, that the model gave its own decision. */
  confidence: number;
}

/** A toolset made ready for the model, masked or plain. Costs milliseconds: keep it per content hash. */
export interface CompiledToolset {
  masked: boolean;
  /** What the model sees. */
  tools: ToolDefinition[];
  grammar: string;
  unmask: (call: ResolvedCall) => ResolvedCall;
  validate: (call: ResolvedCall) => { pointer: string; detail: string }[];
}

/** @param maskKey keys the masked names: the same key and tools always give the same prompt; absent: no masking */
export function compileToolset(
  tools: readonly ToolDefinition[],
  maskKey: string | undefined,
  maxCalls: number,
): CompiledToolset {
  const masking = maskKey === undefined ? undefined : maskTools(tools, maskKey);
  const shown = masking?.tools ?? [...tools];
  const { validate } = compileValidators(tools);
  return {
    masked: masking !== undefined,
    tools: shown,
    grammar: compileGrammar(shown, { maxCalls }),
    unmask: masking?.unmask ?? ((call) => call),
    validate,
  };
}

/**
 * One turn's question to the model: prompt → answer → calls under their real names, each validated against its tool.
 * No call is `[]`: no tool fits. Throws what the model throws, and `invalid_call` (retryable by nobody: decoding is
 * greedy) when an answer is cut short or breaks a schema.
 */
export async function resolveCalls(
  model: Model,
  toolset: CompiledToolset,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<Resolution> {
  const generation = await inSpan(
    `chat ${model.card.name}`,
    {
      kind: SpanKind.CLIENT,
      attributes: {
        [ATTR.genAiOperation]: 'chat',
        [ATTR.genAiProvider]: model.card.runtime,
        [ATTR.genAiRequestModel]: model.card.name,
        [ATTR.genAiRequestMaxTokens]: MAX_ANSWER_TOKENS,
        [ATTR.masked]: toolset.masked,
      },
    },
    async (span) => {
      const answer = await model.generate({
        prompt: renderPrompt(toolset.tools, messages),
        grammar: toolset.grammar,
        maxTokens: MAX_ANSWER_TOKENS,
        signal,
      });
      span.setAttributes({
        [ATTR.genAiResponseFinishReasons]: [answer.finishReason],
        [ATTR.genAiInputTokens]: answer.usage.inputTokens,
        [ATTR.genAiOutputTokens]: answer.usage.outputTokens,
        [ATTR.confidence]: decisionConfidence(answer.tokens),
      });
      return answer;
    },
  );
  if (generation.finishReason === 'length') {
    throw new HammerlineError(
      'invalid_call',
      `The model's answer did not end within ${MAX_ANSWER_TOKENS} tokens.`,
    );
  }
  const parsed = parseCalls(generation.text);
  if (!parsed.ok) {
    throw new HammerlineError(
      'invalid_call',
      `The model's answer is no list of calls: ${parsed.reason}`,
    );
  }
  const calls = parsed.calls.map(toolset.unmask);
  for (const call of calls) {
    const faults = toolset.validate(call);
    if (faults.length > 0) {
      const where = faults.map(({ pointer, detail }) => `${pointer || '/'} ${detail}`).join('; ');
      throw new HammerlineError('invalid_call', `${call.name}: ${where}`);
    }
  }
  return { calls, confidence: decisionConfidence(generation.tokens) };
}
