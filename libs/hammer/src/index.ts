export { CallStream } from './call-stream.js';
export * from './confidence.js';
export {
  compileConstraint,
  type CompileReport,
  type Constraint,
  type ConstraintOptions,
  type ToolChoice,
  type Widening,
} from './constraint/compile-constraint.js';
export * from './original-parsers.js';
export { parseCalls, type ParsedCall, type ParseResult } from './parse.js';
export * from './prompt/bfcl-entry.js';
export * from './prompt/compile-prompt.js';
export * from './prompt/complete-tools.js';
export * from './prompt/eval-prompt.js';
export * from './prompt/flavour.js';
export { fence } from './prompt/instructions.js';
export { addLanguageHint, type Language } from './prompt/language-hint.js';
export type { ChatMessage } from './prompt/message.js';
export { type Prompt, type PromptSegment, promptText } from './prompt/segments.js';
export * from './prompt/train-prompt.js';
export * from './read-answer.js';
