/**
 * OpenTelemetry semantic conventions as of autumn 2026. The GenAI ones are still in development, so every name that
 * Hammerline emits stands here and nowhere else.
 */
export const ATTR = {
  errorType: 'error.type',
  httpMethod: 'http.request.method',
  httpRoute: 'http.route',
  httpStatus: 'http.response.status_code',
  urlPath: 'url.path',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  messagingSystem: 'messaging.system',
  messagingOperationName: 'messaging.operation.name',
  messagingOperationType: 'messaging.operation.type',
  messagingDestination: 'messaging.destination.name',
  messagingMessageId: 'messaging.message.id',
  messagingConversationId: 'messaging.message.conversation_id',
  genAiOperation: 'gen_ai.operation.name',
  genAiProvider: 'gen_ai.provider.name',
  genAiConversationId: 'gen_ai.conversation.id',
  genAiRequestModel: 'gen_ai.request.model',
  genAiRequestMaxTokens: 'gen_ai.request.max_tokens',
  genAiResponseFinishReasons: 'gen_ai.response.finish_reasons',
  /** Seconds. */
  genAiTimeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  genAiInputTokens: 'gen_ai.usage.input_tokens',
  genAiOutputTokens: 'gen_ai.usage.output_tokens',
  genAiToolName: 'gen_ai.tool.name',
  genAiToolCallId: 'gen_ai.tool.call.id',
  genAiToolDescription: 'gen_ai.tool.description',
  genAiToolType: 'gen_ai.tool.type',
  /** Hammerline's own: what the conventions have no word for. */
  attempt: 'hammerline.attempt',
  confidence: 'hammerline.confidence',
  effect: 'hammerline.tool.effect',
  masked: 'hammerline.masked',
  /** Of functions: `mask=real name`. */
  maskNames: 'hammerline.mask.names',
  /** Calls as the model wrote them and as they are made, without values: `name(parameter, parameter)`. */
  callsWritten: 'hammerline.calls.written',
  callsResolved: 'hammerline.calls.resolved',
  /** How the answer was read: `strict` or `tolerant`; what it says: `calls`, `irrelevant`, … */
  parser: 'hammerline.answer.parser',
  outcome: 'hammerline.answer.outcome',
  /** Which repair of an answer that was refused this question is; 0: it is the first one. */
  repair: 'hammerline.repair',
  callState: 'hammerline.call.state',
} as const;

/** Not a listed value of `messaging.system`; the conventions allow custom ones. */
export const MESSAGING_SYSTEM = 'bullmq';
