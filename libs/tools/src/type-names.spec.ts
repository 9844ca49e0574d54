import { describe, expect, it } from 'vitest';
import { isOptionalType, typeSchema } from './type-names.js';

describe('typeSchema', () => {
  it.each([
    ['str', { type: 'string' }],
    ['String', { type: 'string' }],
    ['str, optional', { type: 'string' }],
    ['int, default 5', { type: 'integer' }],
    ['float', { type: 'number' }],
    ['bool', { type: 'boolean' }],
    ['long', { type: 'integer' }],
    ['dict', { type: 'object' }],
    ['any', {}],
    ['List[int]', { type: 'array', items: { type: 'integer' } }],
    ['list(str)', { type: 'array', items: { type: 'string' } }],
    ['List[Any]', { type: 'array' }],
    ['ArrayList<Double>', { type: 'array', items: { type: 'number' } }],
    ['String[]', { type: 'array', items: { type: 'string' } }],
    ['int[][]', { type: 'array', items: { type: 'array', items: { type: 'integer' } } }],
    ['Tuple[float, float]', { type: 'array', items: { type: 'number' } }],
    ['Tuple[int, ...]', { type: 'array', items: { type: 'integer' } }],
    [
      'Dict[str, List[int]]',
      { type: 'object', additionalProperties: { type: 'array', items: { type: 'integer' } } },
    ],
    ['HashMap<String, Object>', { type: 'object', additionalProperties: { type: 'object' } }],
    ['Union[int, str]', { type: ['integer', 'string'] }],
    ['int | None', { type: ['integer', 'null'] }],
    [
      'Optional[List[str]]',
      { anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'null' }] },
    ],
    ['typing.List[str]', { type: 'array', items: { type: 'string' } }],
    ['Callable[[float], float]', {}],
  ])('reads %s', (name, schema) => {
    expect(typeSchema(name)).toEqual(schema);
  });

  it.each([
    '',
    'strin',
    'List[',
    'List[strin]',
    'constructor',
    'List['.repeat(20) + ']'.repeat(20),
    'string[int',
  ])('knows no %j', (name) => {
    expect(typeSchema(name)).toBeUndefined();
  });
});

describe('isOptionalType', () => {
  it('knows what may be left out', () => {
    expect(['str, optional', 'str,Optional', 'Optional[int]'].map(isOptionalType)).toEqual([
      true,
      true,
      true,
    ]);
    expect(['str', 'optionals', 'List[Optional[int]]'].map(isOptionalType)).toEqual([
      false,
      false,
      false,
    ]);
  });
});
