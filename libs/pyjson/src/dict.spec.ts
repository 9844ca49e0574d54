import { describe, expect, it } from 'vitest';
import { copyDict, deleteMember, getMember, isDict, isTruthy, keysOf, setMember } from './dict.js';
import { dumps } from './dumps.js';
import { loads } from './loads.js';
import { PyFloat } from './value.js';

const text = '{"__proto__": 1, "constructor": 2, "a": null}';
const kinds: [string, (json: string) => unknown][] = [
  ['Map', loads],
  ['plain object', (json) => JSON.parse(json)],
];

describe.each(kinds)('a dict that is a %s', (_, read) => {
  const dict = () => {
    const value = read(text);
    if (!isDict(value)) throw new Error('no dict');
    return copyDict(value);
  };

  it('has its own members only', () => {
    expect(keysOf(dict())).toEqual(['__proto__', 'constructor', 'a']);
    expect(getMember(dict(), '__proto__')).toBe(1);
    expect(getMember(dict(), 'a')).toBeNull();
    expect(getMember(dict(), 'toString')).toBeUndefined();
  });

  it('is copied, with a member changed in its place, added at the end, or left out', () => {
    const given = dict();
    const copy = copyDict(given);
    setMember(copy, '__proto__', { b: 1 });
    setMember(copy, 'z', 3);
    deleteMember(copy, 'constructor');
    expect(dumps(copy)).toBe('{"__proto__": {"b": 1}, "a": null, "z": 3}');
    expect(dumps(given)).toBe(text);
  });

  it('takes __proto__ as an ordinary key where there was none', () => {
    const value = read('{}');
    if (!isDict(value)) throw new Error('no dict');
    const copy = copyDict(value);
    setMember(copy, '__proto__', { b: 1 });
    expect(dumps(copy)).toBe('{"__proto__": {"b": 1}}');
    expect(getMember(copy, 'b')).toBeUndefined();
  });
});

describe('isDict', () => {
  it('takes JSON objects only', () => {
    expect([new Map(), {}].every(isDict)).toBe(true);
    expect([null, [], 'a', 1, new PyFloat(1), undefined].some(isDict)).toBe(false);
  });
});

describe('isTruthy', () => {
  it.each(['[0]', '{"a": 1}', '"0"', '1', '-0.5', 'NaN', 'true', '9007199254740993'])(
    '%s is true',
    (json) => {
      expect(isTruthy(loads(json))).toBe(true);
    },
  );

  it.each(['[]', '{}', '""', '0', '0.0', '-0.0', 'false', 'null'])('%s is false', (json) => {
    expect(isTruthy(loads(json))).toBe(false);
  });

  it('knows plain objects and what is absent', () => {
    expect([{ a: 1 }, NaN].every(isTruthy)).toBe(true);
    expect([{}, undefined].some(isTruthy)).toBe(false);
  });
});
