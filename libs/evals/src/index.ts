export { type AstCheck, checkAst } from './check-ast.js';
export { judgeAnswer, type JudgedCall } from './judge-answer.js';
export { type CallValue, PyTuple } from './python.js';
export { type BfclEntry, type BfclMessage, readBfcl } from './read-bfcl.js';
export type { AstErrorType, Verdict } from './verdict.js';
