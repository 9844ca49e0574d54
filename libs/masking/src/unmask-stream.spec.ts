import { describe, expect, it } from 'vitest';
import type { CallDelta } from '#libs/contracts';
import { maskTools } from './mask.js';

const masking = maskTools(
  [
    {
      name: 'f',
      description: '',
      parameters: {
        properties: {
          city: {},
          größe: {},
          tree: { $ref: '#' },
          list: { items: { $ref: '#' } },
          free: {},
        },
      },
    },
  ],
  { key: 'key' },
);
const [f] = Object.keys(masking.names.functions) as [string];
const byName = Object.fromEntries(
  Object.entries(masking.names.parameters[f] ?? {}).map(([mask, name]) => [name, mask]),
) as Record<'city' | 'größe' | 'tree' | 'list' | 'free', string>;
const { city, tree, list, free } = byName;

/** What comes out for each piece of the arguments, and at the end. */
function pieces(name: string, ...texts: string[]): string[] {
  const unmask = masking.unmaskStream();
  expect(unmask({ type: 'name', index: 0, name })).toEqual([
    { type: 'name', index: 0, name: name === f ? 'f' : name },
  ]);
  const join = (deltas: CallDelta[]): string =>
    deltas.map((delta) => (delta.type === 'arguments' ? delta.text : '')).join('');
  return [
    ...texts.map((text) => join(unmask({ type: 'arguments', index: 0, text }))),
    join(unmask({ type: 'end', index: 0 })),
  ];
}

function whole(text: string): string {
  return pieces(f, text).join('');
}

describe('unmaskStream', () => {
  it('passes on each piece at once, but for a key and what leads to it', () => {
    const half = city.slice(0, 2);
    const rest = city.slice(2);
    expect(
      pieces(f, '{', ' "', half, rest, '"', ': "O', 'slo"', ',', ' "x', '": [1', ', 2]', '}'),
    ).toEqual(['{', '', '', '', ' "city"', ': "O', 'slo"', '', '', ', "x": [1', ', 2]', '}', '']);
  });

  it('holds back no key where no schema applies', () => {
    expect(pieces(f, `{"${free}": {"`, city, '": {"a', '": 1}}}')).toEqual([
      '{"free": {"',
      city,
      '": {"a',
      '": 1}}}',
      '',
    ]);
    expect(pieces('unknown', '{"', city, '": 1}')).toEqual(['{"', city, '": 1}', '']);
  });

  it('finds keys at any depth, and only keys', () => {
    expect(
      whole(
        `{"${tree}":{"${list}":[{"${city}":"${city}"},["${city}"],"${city}"]},"a":"\\"{,${city}"}`,
      ),
    ).toBe(`{"tree":{"list":[{"city":"${city}"},["${city}"],"${city}"]},"a":"\\"{,${city}"}`);
    const escaped = Array.from(
      city,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    expect(whole(`{"${escaped.join('')}":1,"${byName['größe']}":2}`)).toBe('{"city":1,"größe":2}');
  });

  it('leaves out a parameter under its real name after the same under its mask', () => {
    expect(whole(`{"${city}": 1, "city": {"a": [", ", 2]} , "x": 3}`)).toBe('{"city": 1, "x": 3}');
    expect(whole(`{"${tree}": {"${city}": 1, "city": 2}, "city": 3}`)).toBe(
      '{"tree": {"city": 1}, "city": 3}',
    );
    expect(JSON.parse(whole(`{"city": 2, "${city}": 1}`))).toEqual({ city: 1 });
  });

  it('keeps calls apart that come by turns', () => {
    const unmask = masking.unmaskStream();
    const deltas: CallDelta[] = [
      { type: 'name', index: 0, name: f },
      { type: 'name', index: 1, name: f },
      { type: 'arguments', index: 0, text: `{"${city.slice(0, 1)}` },
      { type: 'arguments', index: 1, text: `{"${tree}": {` },
      { type: 'arguments', index: 0, text: `${city.slice(1)}": 1}` },
      { type: 'end', index: 0 },
      { type: 'arguments', index: 1, text: '}}' },
      { type: 'end', index: 1 },
    ];
    expect(deltas.flatMap(unmask)).toEqual([
      { type: 'name', index: 0, name: 'f' },
      { type: 'name', index: 1, name: 'f' },
      { type: 'arguments', index: 0, text: '{' },
      { type: 'arguments', index: 1, text: '{"tree": {' },
      { type: 'arguments', index: 0, text: '"city": 1}' },
      { type: 'end', index: 0 },
      { type: 'arguments', index: 1, text: '}}' },
      { type: 'end', index: 1 },
    ]);
  });

  it.each([
    '',
    '{',
    '{"a',
    '{"a": 1,',
    '{,}',
    '}',
    ']]',
    '{"a": [}',
    '"',
    '{"\\x": 1}',
    'a, b',
    '{{',
    '[{"a": 1}]',
    `{"a" {"b": 1}`,
  ])('loses nothing of a text that is no JSON object: %s', (text) => {
    expect(whole(text)).toBe(text);
    expect(pieces(f, ...text).join('')).toBe(text);
  });

  it('takes any depth, in linear time', () => {
    const deep = `{"${tree}":`.repeat(100_000);
    const real = `{"tree":`.repeat(64) + `{"${tree}":`.repeat(100_000 - 64);
    expect(whole(deep)).toBe(real);
  });
});
