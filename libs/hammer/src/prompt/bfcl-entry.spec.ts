import { describe, expect, it } from 'vitest';
import { bfclEntryPrompt, languageOf } from './bfcl-entry.js';
import { addLanguageHint } from './language-hint.js';
import { promptText } from './segments.js';

const doc = (properties: object) => ({
  name: 'f',
  description: 'd',
  parameters: { type: 'dict', properties, required: [] },
});
const hinted = (properties: object, language: 'Java' | 'JavaScript') =>
  (addLanguageHint([doc(properties)], language) as ReturnType<typeof doc>[])[0]?.parameters
    .properties;

describe('languageOf', () => {
  it.each([
    ['simple_java', 'Java'],
    ['simple_javascript', 'JavaScript'],
    ['simple_python', 'Python'],
    ['live_parallel_multiple', 'Python'],
  ])('of %s is %s', (category, language) => {
    expect(languageOf(category)).toBe(language);
  });
});

describe('addLanguageHint', () => {
  it('says the language in the description of the function', () => {
    const given = [doc({ a: { type: 'any', description: 'x' } })];
    const copy = structuredClone(given);
    expect(addLanguageHint(given, 'Python')).toEqual([
      { ...given[0], description: 'd Note that the provided function is in Python 3 syntax.' },
    ]);
    expect(addLanguageHint(given, 'Java')).toMatchObject([
      { description: 'd Note that the provided function is in Java 8 SDK syntax.' },
    ]);
    expect(given).toEqual(copy);
  });

  it('tells the types in Java', () => {
    const properties = {
      a: { type: 'any', description: 'x' },
      b: { description: 'x', type: 'ArrayList', items: { type: 'String' }, default: [] },
      c: { type: 'dict', description: '', properties: { k: {} } },
    };
    expect(hinted(properties, 'Java')).toEqual({
      a: {
        type: 'string',
        description: 'x This parameter can be of any type of Java object in string representation.',
      },
      b: {
        type: 'string',
        description:
          'x This is Java ArrayList type parameter in string representation. The list elements are of type String; they are not in string representation.',
        default: [],
      },
      c: {
        type: 'string',
        description: ' This is Java dict type parameter in string representation.',
        properties: { k: {} },
      },
    });
  });

  it('tells the types in JavaScript, with the entries of a dictionary', () => {
    const properties = {
      a: { type: 'array', description: 'x', items: { type: 'integer' } },
      b: { type: 'dict', description: 'x', properties: { k: { type: 'é' } } },
      c: { type: 'dict', description: 'x' },
    };
    expect(hinted(properties, 'JavaScript')).toEqual({
      a: {
        type: 'string',
        description:
          'x This is JavaScript array type parameter in string representation. The list elements are of type integer; they are not in string representation.',
      },
      b: {
        type: 'string',
        description: String.raw`x This is JavaScript dict type parameter in string representation. The dictionary entries have the following schema; they are not in string representation. {"k": {"type": "\u00e9"}}`,
      },
      c: {
        type: 'string',
        description: 'x This is JavaScript dict type parameter in string representation.',
      },
    });
  });

  it('names what it needs and does not find', () => {
    const without = (properties: object) => () => addLanguageHint([doc(properties)], 'Java');
    expect(without({ a: { type: 'any' } })).toThrow('/tools/0/parameters/properties/a');
    expect(without({ a: { description: '' } })).toThrow('/tools/0/parameters/properties/a');
    expect(without({ a: { type: 'Array', description: '' } })).toThrow("items of 'a'");
    const bare = { name: 'f', description: 'd', parameters: {} };
    expect(() => addLanguageHint([bare], 'Python')).toThrow('/tools/0/parameters/properties');
  });
});

describe('bfclEntryPrompt', () => {
  it('gives the system messages to the user', () => {
    const messages = ['system', 'user', 'system'].map((role) => ({ role, content: role }));
    const prompt = bfclEntryPrompt({ category: 'live_simple', functions: [doc({})], messages });
    expect(promptText({ ...prompt, prefix: [] })).toBe(
      '<|im_start|>user\nsystem<|im_end|>\n<|im_start|>user\nuser<|im_end|>\n<|im_start|>user\nsystem<|im_end|>\n<|im_start|>assistant\n',
    );
  });
});
