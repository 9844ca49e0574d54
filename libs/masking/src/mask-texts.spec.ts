import { describe, expect, it } from 'vitest';
import { maskTools } from './mask.js';
import { maskText, MentionedNames } from './mask-texts.js';

const names = [
  'city',
  'user_id',
  'userId',
  'APIKey',
  'math.sqrt',
  'page2',
  '10',
  'a/b',
  'from date',
  'Ünï',
  'größeWert',
];
const mentioned = new MentionedNames(new Map(names.map((name, index) => [name, `<${index}>`])));
const mask = (text: string): string => maskText(text, mentioned);

describe('maskText', () => {
  it.each([
    ['The city of a user', 'The city of a user'],
    [
      'The \'city\', "city", `city`, “city” and ‘city’',
      'The \'<0>\', "<0>", `<0>`, “<0>” and ‘<0>’',
    ],
    ["the user's 'city'", "the user's '<0>'"],
    ['\'city"', '\'city"'],
    ["'city of'", "'city of'"],
    ['user_id, userId; (APIKey) page2.', '<1>, <2>; (<3>) <5>.'],
    ['user_id', '<1>'],
    ['user_ids my_user_id user_id2 user_idé', 'user_ids my_user_id user_id2 user_idé'],
    ['user_id-based, x.user_id', '<1>-based, x.<1>'],
    ['Calls math.sqrt. Then user_id.', 'Calls <4>. Then <1>.'],
    ['math.sqrt.x', 'math.sqrt.x'],
    ['10 of "10"', '10 of "<6>"'],
    ['a/b `a/b` "from date"', 'a/b `<7>` "<8>"'],
    ['Ünï "Ünï" größeWert', 'Ünï "<9>" <10>'],
    ['用user_id。user_id，', '用user_id。<1>，'],
    ['', ''],
    ['``', '``'],
  ])('%s', (text, masked) => {
    expect(mask(text)).toBe(masked);
  });
});

describe('maskTools', () => {
  it('masks mentions of own parameters and of all functions, in texts at any depth, but not what is a value', () => {
    const text = "user_id get_it other_id 'name'";
    const { tools, names: real } = maskTools(
      [
        {
          name: 'get_it',
          description: text,
          parameters: {
            type: 'object',
            title: text,
            properties: {
              user_id: { type: 'array', items: { description: text } },
              name: { description: text, enum: ['name', 'user_id'], default: 'get_it' },
              sort: {
                description: text,
                items: { enum: ['name'] },
                const: 'user_id',
                examples: ['user_id'],
              },
            },
          },
        },
        { name: 'two', description: text, parameters: { properties: { other_id: {} } } },
      ],
      { key: 'k' },
    );
    const [one, two] = tools as [(typeof tools)[0], (typeof tools)[0]];
    const [id, name, sort] = Object.keys(one.parameters.properties as object) as [
      string,
      string,
      string,
    ];
    const other = Object.keys(real.parameters[two.name] ?? {})[0];
    const shown = `${id} ${one.name} other_id '${name}'`;
    expect(one.description).toBe(shown);
    expect(one.parameters).toEqual({
      type: 'object',
      title: shown,
      properties: {
        [id]: { type: 'array', items: { description: shown } },
        [name]: { description: text, enum: ['name', 'user_id'], default: 'get_it' },
        [sort]: {
          description: `user_id ${one.name} other_id 'name'`,
          items: { enum: ['name'] },
          const: 'user_id',
          examples: ['user_id'],
        },
      },
    });
    expect(two.description).toBe(`user_id ${one.name} ${other} 'name'`);
  });
});
