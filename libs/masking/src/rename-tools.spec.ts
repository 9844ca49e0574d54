import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dumps } from '#libs/pyjson';
import { fuzzRuns } from '../../../test/support/fuzz.js';
import { sealToolsSamples } from '../../../test/support/training-samples.js';
import { NAMING_STYLES, type NamingStyle, renameNames } from './rename-names.js';
import { renameSample, renameTools } from './rename-tools.js';
import { readSample } from './sample.js';

describe('renameNames', () => {
  it.each<[NamingStyle, string[], string[]]>([
    [
      'camel',
      ['get_user', 'GetHTTPResponse', 'math.add-two'],
      ['getUser', 'getHttpResponse', 'mathAddTwo'],
    ],
    ['pascal', ['get_user', 'élan vital', 'x2Y'], ['GetUser', 'ÉlanVital', 'X2Y']],
    ['snake', ['getUserID', 'HTTPServer', 'a1B'], ['get_user_id', 'http_server', 'a1_b']],
    ['kebab', ['getUser', 'get__user_2'], ['get-user', 'get-user-2']],
    [
      'camel',
      ['get_user', 'getUser', 'get-user', 'get_user2'],
      ['getUser', 'getUser2', 'getUser3', 'getUser22'],
    ],
    ['snake', ['_', '🙂', '', '__proto__'], ['_', '🙂', '', 'proto']],
    ['misleading', ['a', 'b', 'c'], ['b', 'c', 'a']],
    ['misleading', ['a'], ['a']],
    ['misleading', [], []],
  ])('%s: %j', (style, names, expected) => {
    const renamed = renameNames(names, style);
    expect(names.map((name) => renamed.get(name))).toEqual(expected);
  });

  it('is a permutation of old and new names', () => {
    const part = fc.constantFrom('get', 'Get', 'user', 'ID', '_', '-', '2', 'é', '🙂', '');
    const name = fc.array(part, { maxLength: 4 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.uniqueArray(name), fc.constantFrom(...NAMING_STYLES), (names, style) => {
        const renamed = renameNames(names, style);
        expect(new Set(renamed.values())).toEqual(new Set(renamed.keys()));
        for (const own of names) expect(renamed.has(own)).toBe(true);
      }),
      { seed: 4, numRuns: fuzzRuns() },
    );
  });
});

const odd = ['', '_', 'x y', '10', '2', 'Ünï', '日本', '🙂', '\ud800', 'a/b'];

const tools = [
  {
    name: 'get_weather',
    description: 'Weather in a city.',
    parameters: {
      type: 'object',
      properties: {
        city_name: { type: 'string', description: 'The city_name.' },
        maxDays: { type: 'object', properties: { city_name: {} } },
      },
      required: ['city_name'],
      additionalProperties: false,
    },
  },
  { name: 'send_mail', parameters: { mail_to: { type: 'str' }, type: { type: 'str' } } },
  { name: 'log_out' },
];

describe('renameTools', () => {
  it('renames functions, parameters and `required`, and nothing else', () => {
    expect(renameTools(tools, 'kebab').tools).toEqual([
      {
        name: 'get-weather',
        description: 'Weather in a city.',
        parameters: {
          type: 'object',
          properties: {
            'city-name': { type: 'string', description: 'The city_name.' },
            'max-days': { type: 'object', properties: { city_name: {} } },
          },
          required: ['city-name'],
          additionalProperties: false,
        },
      },
      { name: 'send-mail', parameters: { 'mail-to': { type: 'str' }, type: { type: 'str' } } },
      { name: 'log-out' },
    ]);
  });

  it('misleads: the names of a tool and its parameters are those of others', () => {
    const { tools: renamed, restore } = renameTools(tools, 'misleading');
    expect(renamed.map(({ name }) => name)).toEqual(['send_mail', 'log_out', 'get_weather']);
    expect(renamed[0]?.description).toBe('Weather in a city.');
    expect(renamed[0]?.parameters).toMatchObject({
      properties: { maxDays: { type: 'string' }, city_name: { type: 'object' } },
      required: ['maxDays'],
    });
    expect(restore({ name: 'send_mail', arguments: { maxDays: 'Oslo' } })).toEqual({
      name: 'get_weather',
      arguments: { city_name: 'Oslo' },
    });
  });

  it('does not take an old name for a right one', () => {
    const { restore } = renameTools(tools, 'camel');
    expect(restore({ name: 'get_weather', arguments: { city_name: 1 } })).toEqual({
      name: 'getWeather',
      arguments: { city_name: 1 },
    });
    expect(restore({ name: 'getWeather', arguments: { city_name: 1, other: 2 } })).toEqual({
      name: 'get_weather',
      arguments: { cityName: 1, other: 2 },
    });
  });

  it('can be undone, whatever the names and calls', () => {
    const styled = 'get_user getUser get-user GetUser getUser2 user USER_id __proto__ constructor';
    const name = fc.constantFrom(...styled.split(' '), ...odd);
    const someArguments = fc
      .uniqueArray(name, { maxLength: 4 })
      .map((names) => Object.fromEntries(names.map((key, index) => [key, index])));
    const tool = fc
      .record({ name, parameters: fc.uniqueArray(name, { maxLength: 4 }) })
      .map((made) => ({
        name: made.name,
        parameters: {
          type: 'object',
          properties: Object.fromEntries(made.parameters.map((key) => [key, {}])),
          required: made.parameters,
        },
      }));
    fc.assert(
      fc.property(
        fc.uniqueArray(tool, { selector: (made) => made.name, minLength: 1, maxLength: 4 }),
        someArguments,
        fc.constantFrom(...NAMING_STYLES),
        fc.nat(),
        (some, args, style, at) => {
          const { tools: renamed, rename, restore } = renameTools(some, style);
          const chosen = some[at % some.length];
          const call = { name: chosen?.name ?? '', arguments: args };
          const there = rename(call);
          expect(restore(there)).toEqual(call);
          expect(Object.keys(there.arguments)).toHaveLength(Object.keys(args).length);
          expect(there.name).toBe(renamed[at % some.length]?.name);
          expect(new Set(renamed.map((made) => made.name)).size).toBe(some.length);
          const lists = renamed.map(({ parameters }) => [
            Object.keys(parameters.properties).toSorted(),
            parameters.required.toSorted(),
          ]);
          expect(lists.map(([declared]) => declared)).toEqual(
            lists.map(([, required]) => required),
          );
        },
      ),
      { seed: 4, numRuns: fuzzRuns() },
    );
  });
});

describe('renameSample', () => {
  it.each(NAMING_STYLES)('renames tools and answers alike, %s', (style) => {
    let renamed = 0;
    for (const sample of sealToolsSamples().slice(0, 100)) {
      const other = renameSample(sample, style);
      const before = readSample(sample);
      const after = readSample(other);
      expect(other.query).toBe(sample.query);
      expect(new Set(after.tools.map(({ name }) => name)).size).toBe(
        new Set(before.tools.map(({ name }) => name)).size,
      );
      for (const [index, call] of before.answers.entries()) {
        const at = before.tools.findIndex(({ name }) => name === call.name);
        expect(after.answers[index]?.name).toBe(after.tools[at]?.name);
        const names = [...(before.tools[at]?.parameters.keys() ?? [])];
        const newNames = [...(after.tools[at]?.parameters.keys() ?? [])];
        for (const [name, value] of call.arguments) {
          const newName = newNames[names.indexOf(name)] ?? '';
          expect(after.answers[index]?.arguments.get(newName)).toEqual(value);
        }
      }
      if (other.tools !== sample.tools) renamed++;
    }
    expect(renamed).toBeGreaterThan(50);
  });

  it('keeps floats, and tools of the same name', () => {
    const sample = {
      id: 1,
      query: 'q',
      tools: dumps([
        { name: 'f_g', parameters: { a_b: {} } },
        { name: 'f_g', parameters: { a_b: {}, aB: {} } },
      ]),
      answers: '[{"name": "f_g", "arguments": {"aB": 1.0, "a_b": 1}}]',
    };
    expect(renameSample(sample, 'camel')).toEqual({
      id: 1,
      query: 'q',
      tools: dumps([
        { name: 'fG', parameters: { aB: {} } },
        { name: 'fG', parameters: { aB: {}, aB2: {} } },
      ]),
      answers: '[{"name": "fG", "arguments": {"aB2": 1.0, "aB": 1}}]',
    });
  });
});
