export { CallStream } from './call-stream.js';
export { decisionConfidence, type ScoredToken } from './confidence.js';
export {
  compileConstraint,
  type CompileReport,
  type Constraint,
  type ConstraintOptions,
  type ToolChoice,
  type Widening,
} from './constraint/compile-constraint.js';
export {
  type ClientCompletion,
  completeAsClient,
  decodeAst,
  type DecodedCall,
  decodeExecute,
  parseAsClient,
  parseForMetrics,
  type PyKey,
} from './original-parsers.js';
export { parseCalls, type ParsedCall, type ParseResult } from './parse.js';
export { bfclEntryPrompt } from './prompt/bfcl-entry.js';
export { type CompiledPrompt, compilePrompt } from './prompt/compile-prompt.js';
export { completeTools } from './prompt/complete-tools.js';
export { evalPrompt, type EvalRecord } from './prompt/eval-prompt.js';
export {
  type Flavour,
  flavourOf,
  SERVING_FLAVOURS,
  type ServingFlavour,
} from './prompt/flavour.js';
export { inlineReferences } from './prompt/inline-references.js';
export { fence } from './prompt/instructions.js';
export type { ChatMessage } from './prompt/message.js';
export { type Prompt, type PromptSegment, promptText } from './prompt/segments.js';
export { trainPrompt, type TrainRecord } from './prompt/train-prompt.js';
export { type Answer, type Parser, readAnswer, type ReadAnswerOptions } from './read-answer.js';
