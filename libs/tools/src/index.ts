export { type BuiltinName, builtinNames } from './builtin.js';
export { type CallContext, executeCall } from './execute-call.js';
export { loadToolsets } from './load-toolsets.js';
export { probeCall } from './probe-call.js';
export { readTools } from './read-tools.js';
export {
  type ExecutorSpec,
  inlineToolset,
  readToolset,
  type Tool,
  type Toolset,
  toolsWithoutExecutor,
} from './toolset.js';
export { compileValidators, type Validators } from './validate-arguments.js';
