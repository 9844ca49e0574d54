import { describe, expect, it } from 'vitest';
import { dumps, loads, PyFloat } from '#libs/pyjson';
import { maskSample } from './mask-sample.js';
import { maskingFaults } from './masking-faults.js';
import { Random } from './random.js';
import type { Sample } from './sample.js';

const before: Sample = {
  query: 'Twice 5 km, please',
  tools: dumps([
    {
      name: 'walk',
      description: 'Walks.',
      parameters: {
        unit: { description: "Defaults to 'km'.", type: 'str', default: 'km' },
        length: { description: 'How far.', type: 'int', default: 5 },
        fast: { description: '', type: 'bool', default: false },
        pace: { default: new PyFloat(1.5) },
      },
    },
    {
      name: 'rest',
      description: 'Rests.',
      parameters: { length: { description: '', default: 1 } },
    },
    { name: 'walk', description: 'Walks.', parameters: {} },
    { name: 'idle', parameters: {} },
    { name: 'wait', parameters: {} },
    { name: 'stop', description: 'Stops.', parameters: {} },
  ]),
  answers: dumps([
    { name: 'walk', arguments: { unit: 'km', length: 5, pace: new PyFloat(1.5) } },
    { name: 'walk', arguments: { unit: 'mi', length: 5 } },
    { name: 'rest', arguments: { length: 2 } },
  ]),
};
const after: Sample = {
  query: 'Twice 8 a_b.c, please',
  tools: dumps([
    {
      name: '0.Rest',
      description: 'Rests.',
      parameters: { '....': { description: '', default: 1 } },
    },
    {
      name: 'WALKS_walks_1.5',
      description: 'Walks.',
      parameters: {
        u_n_i_t_99: { description: "Defaults to 'a_b.c'.", type: 'str', default: 'a_b.c' },
        leng: { description: 'How far.', type: 'int', default: 8 },
        '4fast': { description: '', type: 'bool', default: false },
        pace_: { default: new PyFloat(2.25) },
      },
    },
    { name: 'Stops', description: 'Stops.', parameters: {} },
    { name: 'Idles', parameters: {} },
    { name: 'Waits', parameters: {} },
  ]),
  answers: dumps([
    {
      name: 'WALKS_walks_1.5',
      arguments: { u_n_i_t_99: 'a_b.c', leng: 8, pace_: new PyFloat(2.25) },
    },
    { name: 'WALKS_walks_1.5', arguments: { u_n_i_t_99: 'mi', leng: 8 } },
    { name: '0.Rest', arguments: { '....': 2 } },
  ]),
};

/** The masked sample with a text replaced everywhere, or in one of its parts. */
function altered(
  text: string,
  by: string,
  parts: readonly (keyof Sample)[] = ['query', 'tools', 'answers'],
) {
  const changed = { ...after };
  for (const part of parts) changed[part] = after[part].replaceAll(text, by);
  expect(changed).not.toEqual(after);
  return changed;
}

function without(text: string): Sample {
  return altered(text, '', ['tools']);
}

/** Swaps the first two members of a list. */
function swapped(part: 'tools' | 'answers'): Sample {
  const [first, second, ...rest] = loads(after[part]) as unknown[];
  return { ...after, [part]: dumps([second, first, ...rest]) };
}

describe('maskingFaults', () => {
  it.each(['strict', 'corrected'] as const)('finds none in a masked sample, %s', (mode) => {
    expect(maskingFaults(before, after, mode)).toEqual([]);
    expect(maskingFaults(before, swapped('tools'), mode)).toEqual([]);
  });

  it.each<[string, Sample]>([
    ['the sample itself', before],
    ['a tool left out', { ...after, tools: dumps((loads(after.tools) as unknown[]).slice(1)) }],
    [
      'a tool twice',
      {
        ...after,
        tools: dumps([...(loads(after.tools) as unknown[]), { name: '0.Rest', parameters: {} }]),
      },
    ],
    ['a tool left out that no answer calls', without('{"name": "Idles", "parameters": {}}, ')],
    ['two tools under one name', altered('Waits', 'Idles')],
    ['a copy of a tool in place of another', altered(', "description": "Stops."', '')],
    [
      'an answer left out',
      { ...after, answers: dumps((loads(after.answers) as unknown[]).slice(1)) },
    ],
    ['answers in another order', swapped('answers')],
    ['another description of a tool', altered('Walks.', 'Walks!')],
    ['another description of a tool that no answer calls', altered('Rests.', 'Rests!')],
    ['another description of a parameter', altered('How far.', 'How long.')],
    ['another type', altered('"int"', '"float"')],
    ['a default not in its description', altered("'a_b.c'", "'km'", ['tools'])],
    ['a default not in the answers', altered('"a_b.c"', '"km"', ['answers'])],
    ['a default not in the query', altered('a_b.c', 'km', ['query'])],
    ['a default not in the schema', altered('"default": "a_b.c"', '"default": "km"')],
    ['a default too short', altered('a_b.c', 'a_b')],
    ['a default too long', altered('a_b.c', 'a_b.cd')],
    ['a default of other symbols', altered('a_b.c', 'a_b-c')],
    ['an int too large', altered('8', '10')],
    ['a float too large', altered('2.25', '2.75')],
    ['a float too small', altered('2.25', '1.25')],
    ['an int as float', altered('8', '8.0')],
    ['an int unlike its label', altered('8', '7', ['answers'])],
    ['a changed default that no answer uses', altered('"default": 1', '"default": 2')],
    ['a bool as int', altered('false', '0')],
    ['a value as another type', altered(': 2}', ': 2.0}', ['answers'])],
    ['a function name too long', altered('WALKS_walks_1.5', 'WALKS_walks_1.55')],
    ['a function name too short', altered('0.Rest', '0.Re')],
    ['a function name of other symbols', altered('0.Rest', '0-Rest')],
    ['an original function name', altered('0.Rest', 'walks')],
    ['a parameter name too long', altered('u_n_i_t_99', 'u_n_i_t_999')],
    ['a parameter name too short', altered('leng', 'len')],
    ['an original parameter name', altered('leng', 'unit')],
    ['the same name for two tools', altered('0.Rest', 'WALKS_walks_1.5')],
    ['a call of the wrong tool', altered('"0.Rest", "arg', '"WALKS_walks_1.5", "arg')],
    ['an argument under its old name', altered('"leng"', '"length"', ['answers'])],
    [
      'arguments in another order',
      altered('"u_n_i_t_99": "mi", "leng": 8', '"leng": 8, "u_n_i_t_99": "mi"'),
    ],
    ['parameters in another order', altered('u_n_i_t_99', '4fast', ['tools'])],
    ['another query', altered('please', 'Please')],
    ['other spacing of tools', { ...after, tools: after.tools.replaceAll(', ', ',') }],
    ['other spacing of answers', { ...after, answers: after.answers.replaceAll(', ', ',') }],
  ])('finds %s', (name, sample) => {
    // A longer original name, so that the masked name differs in nothing else.
    const original = name === 'an original function name' ? renamed('rest', 'walks') : before;
    expect(maskingFaults(original, sample)).not.toEqual([]);
    expect(maskingFaults(original, sample, 'corrected')).not.toEqual([]);
  });

  it('tells the modes apart', () => {
    const bool = {
      query: 'True and 12',
      tools: dumps([{ name: 'f', parameters: { b: { default: true }, n: { default: 1 } } }]),
      answers: dumps([{ name: 'f', arguments: { b: true, n: 1 } }]),
    };
    const masked = maskSample(bool, new Random(1), 'strict');
    expect(maskingFaults(bool, masked, 'strict')).toEqual([]);
    expect(maskingFaults(bool, masked, 'corrected')).not.toEqual([]);
    const corrected = maskSample(bool, new Random(1), 'corrected');
    expect(maskingFaults(bool, corrected, 'corrected')).toEqual([]);
    expect(maskingFaults(bool, corrected, 'strict')).not.toEqual([]);
  });

  it('says where it found what', () => {
    expect(maskingFaults(before, altered('8', '10'))).toEqual([
      'default of "leng" of "WALKS_walks_1.5": 10 is not drawn for 5',
    ]);
  });
});

function renamed(name: string, to: string): Sample {
  return {
    ...before,
    tools: before.tools.replace(`"${name}"`, `"${to}"`),
    answers: before.answers.replace(`"${name}"`, `"${to}"`),
  };
}
