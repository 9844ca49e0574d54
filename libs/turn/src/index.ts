export { chatPrompt } from './chat-prompt.js';
export {
  compileToolset,
  type CompiledToolset,
  type ToolsetOptions,
  type TurnAnswer,
} from './compile-toolset.js';
