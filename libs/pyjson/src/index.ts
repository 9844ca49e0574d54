export { dumps } from './dumps.js';
export { JsonError, loads } from './loads.js';
export { repr, str } from './repr.js';
export { isEqual, numeric, type PyDict, PyFloat, type PyValue } from './value.js';
