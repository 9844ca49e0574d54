import { describe, expect, it } from 'vitest';
import type { Fault } from '#libs/contracts';
import { readTools } from './read-tools.js';
import { compileValidators } from './validate-arguments.js';

function check(parameters: unknown, args: unknown): Fault[] {
  const { validate } = compileValidators(readTools([{ name: 'f', parameters }]));
  return validate({ name: 'f', arguments: args as Record<string, unknown> });
}

function pointers(parameters: unknown, args: unknown): string[] {
  return check(parameters, args).map((fault) => fault.pointer);
}

const message = {
  type: 'object',
  properties: {
    to: { type: 'string', enum: ['Dana', 'Kim'] },
    text: { type: 'string' },
    at: { type: 'string', format: 'date-time' },
    tags: { type: 'array', items: { type: 'string' } },
  },
  required: ['to', 'text'],
  additionalProperties: false,
};

describe('compileValidators', () => {
  it('finds nothing wrong with arguments that fit', () => {
    expect(
      check(message, { to: 'Dana', text: 'hi', tags: [], at: '2025-01-02T03:04:05Z' }),
    ).toEqual([]);
  });

  it('names each fault, where it is and how to mend it', () => {
    const faults = check(message, { to: 'Bob', tags: ['a', 1], at: 'soon', 'a/b': 1 });
    expect(faults).toEqual([
      { pointer: '/arguments/text', detail: 'is missing', mend: 'give it' },
      {
        pointer: '/arguments/a~1b',
        detail: 'is no known parameter',
        mend: 'leave it out; there are: to, text, at, tags',
      },
      {
        pointer: '/arguments/to',
        detail: 'is none of the allowed values',
        mend: 'use one of: "Dana", "Kim"',
      },
      {
        pointer: '/arguments/at',
        detail: 'must match format "date-time"',
        mend: 'give a value that fits',
      },
      {
        pointer: '/arguments/tags/1',
        detail: 'must be string',
        mend: 'give a value of this type',
      },
    ]);
  });

  it('refuses a tool that is not there', () => {
    const { validate } = compileValidators(readTools([{ name: 'f' }, { name: 'g' }]));
    expect(validate({ name: 'constructor', arguments: {} })).toEqual([
      { pointer: '/name', detail: 'there is no tool "constructor"', mend: 'use one of: f, g' },
    ]);
  });

  it('coerces nothing and fills nothing in', () => {
    const properties = { n: { type: 'integer' }, d: { type: 'string', default: 'x' } };
    const args = { n: '5' };
    expect(pointers({ type: 'object', properties }, args)).toEqual(['/arguments/n']);
    expect(args).toEqual({ n: '5' });
  });

  it('does not take what every object has for arguments', () => {
    const properties = { constructor: { type: 'string' }, toString: { type: 'string' } };
    const schema = { type: 'object', properties, required: ['constructor'] };
    expect(pointers(schema, {})).toEqual(['/arguments/constructor']);
    expect(pointers(schema, { constructor: 'x' })).toEqual([]);
    const proto: unknown = JSON.parse('{"__proto__": {"to": "Dana"}, "text": "x"}');
    expect(pointers(message, proto)).toEqual(['/arguments/to', '/arguments/__proto__']);
  });

  it('is not fooled by a schema that would be checked later', () => {
    const schema = {
      type: 'object',
      $async: true,
      properties: { a: { type: 'string' } },
      required: ['a'],
    };
    expect(pointers(schema, {})).toEqual(['/arguments/a']);
  });

  it('follows a schema that contains itself', () => {
    const schema = {
      type: 'object',
      properties: { tree: { $ref: '#/$defs/node' } },
      $defs: {
        node: {
          type: 'object',
          properties: { next: { $ref: '#/$defs/node' }, name: { type: 'string' } },
        },
      },
    };
    expect(pointers(schema, { tree: { next: { next: { name: 'x' } } } })).toEqual([]);
    expect(pointers(schema, { tree: { next: { name: 1 } } })).toEqual([
      '/arguments/tree/next/name',
    ]);
  });

  it.each([
    ['a pattern', { type: 'string', pattern: '^(a+)+$' }, `${'a'.repeat(60)}!`],
    ['a pattern of names', { patternProperties: { '^(a+)+$': {} } }, { [`${'a'.repeat(60)}!`]: 1 }],
  ])('stops %s that would run for years, and goes on', (_, property, value) => {
    const parameters = { type: 'object', properties: { a: property } };
    const { validate } = compileValidators(readTools([{ name: 'f', parameters }]));
    const start = performance.now();
    expect(validate({ name: 'f', arguments: { a: value } })).toMatchObject([
      {
        pointer: '/arguments',
        detail: 'the schema of "f" cannot be checked: stopped after 500 ms',
      },
    ]);
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(validate({ name: 'f', arguments: { a: 'aa' } })).toEqual([]);
  });

  it('stops references that double at each step', () => {
    const twice = (to: number): unknown => ({
      allOf: [{ $ref: `#/$defs/${to}` }, { $ref: `#/$defs/${to}` }],
    });
    const many = Array.from({ length: 60 }, (_, index) => [`${index}`, twice(index + 1)]);
    const $defs: unknown = Object.fromEntries([...many, ['60', { type: 'string' }]]);
    const schema = { type: 'object', properties: { a: { $ref: '#/$defs/0' } }, $defs };
    expect(check(schema, { a: 'x' })[0]?.detail).toMatch(/cannot be (?:compiled|checked): stopped/);
  });

  it('compiles a large schema once, however often it is referred to', () => {
    const keys = (count: number, schema: unknown): unknown =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, schema]));
    const big = { type: 'object', properties: keys(700, { type: 'string', minLength: 1 }) };
    const properties = keys(400, { $ref: '#/$defs/big' });
    const schema = { type: 'object', properties, $defs: { big } };
    expect(pointers(schema, { p7: { p9: 5 } })).toEqual(['/arguments/p7/p9']);
  });

  it('bounds what it reports and what it reads', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'array', items: { type: 'string' } } },
    };
    expect(check(schema, { a: Array.from({ length: 1_000 }, () => 1) })).toHaveLength(20);
    const abyss: unknown = JSON.parse(`${'['.repeat(10_000)}${']'.repeat(10_000)}`);
    expect(check(schema, { b: abyss })[0]?.detail).toBe('nest deeper than 64 levels');
    expect(check(schema, { b: 'a\0' })[0]?.detail).toBe('hold a NUL or half a surrogate pair');
  });

  it.each([
    { id: 'x' },
    { $id: 'http://a b' },
    { nullable: true },
    { format: 'unheard-of' },
    { discriminator: { propertyName: 'x' } },
    { type: 'string', nullable: false },
    { $schema: 'https://example.com/none', $anchor: 'a', $vocabulary: {} },
    { examples: 5, default: {}, 'x-note': { $ref: 'https://example.com' } },
  ])('compiles a schema with the note %j', (note) => {
    expect(check({ type: 'object', properties: { a: note } }, { a: 'text' })).toEqual([]);
  });
});
