import { type PyDict, PyFloat, type PyValue } from '#libs/pyjson';
import {
  type CallValue,
  contains,
  dict,
  isAmong,
  length,
  members,
  PyTuple,
  type PyType,
  typeOf,
} from './python.js';
import { type AstErrorType, unjudgeable } from './verdict.js';

const types: ReadonlyMap<unknown, PyType> = new Map([
  ['string', 'str'],
  ['integer', 'int'],
  ['float', 'float'],
  ['boolean', 'bool'],
  ['array', 'list'],
  ['tuple', 'list'],
  ['dict', 'dict'],
  ['any', 'str'],
]);

/**
 * What is wrong with an argument, given its documentation and the values that are right; undefined if nothing.
 *
 * An answer of another type than the documented one stands for a variable's name: then only equality counts.
 */
export function checkArgument(
  argument: CallValue,
  property: PyDict,
  accepted: readonly PyValue[],
): AstErrorType | undefined {
  const type = typeNamed(property);
  const itemType =
    type === 'list' ? typeNamed(dict(property.get('items'), '/functions')) : undefined;
  const value = converted(argument, property.get('type'));
  const first = accepted.find((one) => one !== '');
  const answerType = first === undefined ? undefined : typeOf(first);

  const error = checkType(value, accepted, { type, itemType, answerType });
  if (error !== undefined) return error;
  if (answerType === undefined || answerType === type) {
    if (typeof value === 'string') return checkText(value, accepted);
    if (value instanceof Map) return checkDict(value, accepted);
    if (Array.isArray(value)) {
      return itemType === 'dict' ? checkDicts(value, accepted) : checkList(value, accepted);
    }
  }
  return isAmong(value, accepted) ? undefined : 'value_error:others';
}

function typeNamed(schema: PyDict): PyType {
  const type = types.get(schema.get('type'));
  if (type === undefined)
    throw unjudgeable('/functions', 'has a type that the Python categories lack');
  return type;
}

function converted(value: CallValue, declared: PyValue | undefined): CallValue {
  if (declared === 'tuple' && value instanceof PyTuple) return value.list;
  return declared === 'float' && typeOf(value) === 'int' ? new PyFloat(Number(value)) : value;
}

interface Expected {
  readonly type: PyType;
  readonly itemType: PyType | undefined;
  /** Of the first answer that is not `""`. */
  readonly answerType: PyType | undefined;
}

function checkType(
  value: CallValue,
  accepted: readonly PyValue[],
  { type, itemType, answerType }: Expected,
): AstErrorType | undefined {
  const actual = typeOf(value);
  if (actual !== type) return actual === answerType ? undefined : 'type_error:simple';
  if (itemType === undefined || !Array.isArray(value)) return undefined;
  const fits = accepted.some((answer) => {
    if (!Array.isArray(answer)) return true;
    const first = answer.find((one) => one !== '');
    const answerItemType = first === undefined ? itemType : typeOf(first);
    return value.every((item) => {
      const actualItem = typeOf(item);
      return actualItem === itemType || actualItem === answerItemType;
    });
  });
  if (fits) return undefined;
  return actual === answerType ? 'type_error:nested' : 'type_error:simple';
}

const ignored = /[ ,./\-_*^]/g;

/** Case, spaces, some punctuation and the kind of quote do not count. */
function standard(text: string): string {
  return text.replace(ignored, '').toLowerCase().replaceAll("'", '"');
}

function standardIfText<Value extends CallValue>(value: Value): Value | string {
  return typeof value === 'string' ? standard(value) : value;
}

function checkText(value: string, accepted: readonly PyValue[]): AstErrorType | undefined {
  // The common case, and the cheap one.
  if (accepted.includes(value)) return undefined;
  const text = standard(value);
  const isRight = accepted.some((one) => typeof one === 'string' && standard(one) === text);
  return isRight ? undefined : 'value_error:string';
}

function checkList(
  value: readonly CallValue[],
  accepted: readonly PyValue[],
): AstErrorType | undefined {
  const list = value.map(standardIfText);
  // All are read before any is compared: one that is no list spoils the entry, also behind one that fits.
  const lists = accepted.map((answer) => members(answer, '/answers').map(standardIfText));
  return isAmong(list, lists) ? undefined : 'value_error:list/tuple';
}

/** The last answer that was tried gives the error. */
function checkDict(value: CallValue, accepted: readonly PyValue[]): AstErrorType | undefined {
  let error: AstErrorType | undefined = 'dict_checker:unclear';
  for (const answer of accepted) {
    if (answer === '') continue;
    error = compareDicts(dict(value, '/calls'), dict(answer, '/answers'));
    if (error === undefined) break;
  }
  return error;
}

function compareDicts(value: Map<string, CallValue>, answer: PyDict): AstErrorType | undefined {
  let error: AstErrorType | undefined;
  for (const [key, member] of value) {
    const accepted = answer.get(key);
    if (accepted === undefined) {
      error = 'value_error:dict_key';
      break;
    }
    if (!isAmong(standardIfText(member), members(accepted, '/answers').map(standardIfText))) {
      error = 'value_error:dict_value';
      break;
    }
  }
  // Whatever was found before: a key that lacks outranks it.
  for (const [key, accepted] of answer) {
    if (!value.has(key) && !contains(accepted, '', '/answers')) return 'value_error:dict_key';
  }
  return error;
}

function checkDicts(
  value: readonly CallValue[],
  accepted: readonly PyValue[],
): AstErrorType | undefined {
  let error: AstErrorType | undefined = 'list_dict_checker:unclear';
  for (const answer of accepted) {
    if (length(answer, '/answers') === value.length) {
      error = undefined;
      for (const [index, one] of members(answer, '/answers').entries()) {
        error = checkDict(value[index] ?? null, [one]);
        if (error !== undefined) break;
      }
      if (error === undefined) break;
    } else {
      error = 'value_error:list_dict_count';
    }
  }
  return error;
}
