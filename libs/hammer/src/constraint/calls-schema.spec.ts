import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { ToolDefinition } from '#libs/contracts';
import { compileConstraint, type ConstraintOptions } from './compile-constraint.js';

const tree = {
  type: 'object',
  properties: {
    label: { type: 'string', enum: ['a', '$ref'] },
    children: { type: 'array', items: { $ref: '#' } },
    $ref: { $ref: '#/$defs/default' },
    const: { $ref: '#/$defs/default' },
    data: { enum: [{ $ref: '#' }] },
  },
  required: ['label'],
  additionalProperties: false,
  $defs: { default: { type: 'integer', default: { $ref: '#' } } },
};
const tools: ToolDefinition[] = [
  { name: 'grow', description: '', parameters: tree },
  {
    name: 'cut "it"',
    description: '',
    parameters: {
      properties: { at: { $ref: '#/$defs/at' } },
      $defs: { at: { type: 'integer', minimum: 3 } },
    },
  },
];
const grow = {
  name: 'grow',
  arguments: { label: 'a', children: [{ label: '$ref' }], $ref: 1, data: { $ref: '#' } },
};
const cut = { name: 'cut "it"', arguments: { at: 3 } };

function judge(options: ConstraintOptions, ...answers: unknown[]): boolean[] {
  const validate = new Ajv2020().compile(compileConstraint(tools, options).jsonSchema);
  return answers.map((answer) => validate(answer));
}

describe('callsSchema', () => {
  it('takes lists of valid calls, as many as are chosen', () => {
    const lists = [[], [grow], [cut], [grow, cut], [cut, cut, grow]];
    expect(judge({}, ...lists)).toEqual([true, true, true, true, true]);
    expect(judge({ maxCalls: 2 }, ...lists)).toEqual([true, true, true, true, false]);
    expect(judge({ maxCalls: 0 }, ...lists)).toEqual([true, false, false, false, false]);
    expect(judge({ toolChoice: 'none' }, ...lists)).toEqual([true, false, false, false, false]);
    const required: ConstraintOptions = { toolChoice: 'required', maxCalls: 1 };
    expect(judge(required, ...lists)).toEqual([false, true, true, false, false]);
    const named: ConstraintOptions = { toolChoice: { name: 'grow' } };
    expect(judge(named, ...lists)).toEqual([false, true, false, false, false]);
  });

  it('refuses all else', () => {
    const wrong = [
      grow,
      [{ ...grow, id: 1 }],
      [{ name: 'grow' }],
      [{ name: 'shrink', arguments: {} }],
      [{ ...grow, arguments: cut.arguments }],
      [{ ...grow, arguments: [] }],
      [{ ...cut, arguments: { at: 2 } }],
      [{ ...cut, arguments: 'at' }],
      [{ ...grow, arguments: { label: 'a', children: [{}] } }],
      [{ ...grow, arguments: { label: 'a', const: 'x' } }],
    ];
    expect(judge({}, ...wrong)).toEqual(wrong.map(() => false));
  });

  it('leads references on from where a tool stands now, but for those by name', () => {
    const parameters = { properties: { a: { $ref: '#' }, b: { $ref: '#/x' }, c: { $ref: '#n' } } };
    const { jsonSchema } = compileConstraint([{ name: 'f', description: '', parameters }]);
    expect(jsonSchema.$defs).toEqual({
      tool0: {
        type: 'object',
        properties: {
          a: { $ref: '#/$defs/tool0' },
          b: { $ref: '#/$defs/tool0/x' },
          c: { $ref: '#n' },
        },
      },
    });
  });

  it('takes any object for arguments where types are not to be trusted', () => {
    const calls = [{ name: 'grow', arguments: { x: [] } }];
    expect(judge({ arguments: 'json' }, calls, [{ name: 'x', arguments: {} }])).toEqual([
      true,
      false,
    ]);
  });
});
