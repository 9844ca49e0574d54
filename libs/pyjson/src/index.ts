export {
  type AnyDict,
  copyDict,
  deleteMember,
  getMember,
  isDict,
  isTruthy,
  keysOf,
  type MutableDict,
  setMember,
} from './dict.js';
export { dumps } from './dumps.js';
export { JsonError, loads } from './loads.js';
export { parseJson } from './parse-json.js';
export { repr, str } from './repr.js';
export { isEqual, numeric, type PyDict, PyFloat, type PyValue } from './value.js';
