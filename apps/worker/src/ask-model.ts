import { ATTR, inSpan } from '#libs/telemetry';
import { SpanKind, type Attributes, type Span } from '@opentelemetry/api';
import type { GenerateRequest, Generation, Model } from './models/model.js';

/** One request to the model, as a span. `read` makes something of the answer, and may tell the span of it. */
export function askModel<T>(
  model: Model,
  request: GenerateRequest,
  attributes: Attributes,
  read: (generation: Generation, span: Span) => T,
): Promise<T> {
  const { name } = model.card;
  const asked: Attributes = {
    [ATTR.genAiOperation]: 'chat',
    [ATTR.genAiProvider]: model.runtime,
    [ATTR.genAiRequestModel]: name,
    [ATTR.genAiRequestMaxTokens]: request.maxTokens,
    ...attributes,
  };
  return inSpan(`chat ${name}`, { kind: SpanKind.CLIENT, attributes: asked }, async (span) => {
    const generation = await model.generate(request);
    const { usage, finishReason, firstTokenMs } = generation;
    span.setAttributes({
      [ATTR.genAiResponseFinishReasons]: [finishReason],
      [ATTR.genAiTimeToFirstChunk]: firstTokenMs / 1_000,
      [ATTR.genAiInputTokens]: usage.inputTokens,
      [ATTR.genAiOutputTokens]: usage.outputTokens,
    });
    return read(generation, span);
  });
}

/** What an answer cost: tokens read and written. */
export function tokensOf({ usage }: Generation): number {
  return usage.inputTokens + usage.outputTokens;
}
