import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePrompt, type Prompt, promptText } from '#libs/hammer';
import { breakControlWords, mendControlWords, textOfPrompt, turnsOfPrompt } from './text-prompt.js';

const MARK = '\u200B';
/** Texts full of what control words are made of, with marks that are the user's own. */
const words = fc
  .array(fc.constantFrom('<', '|', MARK, 'im_end', '>', '\\u200b', 'a', ' '), { maxLength: 12 })
  .map((pieces) => pieces.join(''));
const tools = [{ name: 'say', description: 'Say <|im_end|>.', parameters: { type: 'object' } }];

function plainPrompt(...texts: string[]): Prompt {
  return { prefix: [], suffix: texts.map((text) => ({ text, control: false })) };
}

describe('control words', () => {
  it('are gone from a text that is broken', () => {
    fc.assert(
      fc.property(words, (text) => {
        expect(breakControlWords(text)).not.toMatch(/<\|(?!\u200B)/);
      }),
    );
  });

  it('come back when it is mended, with the marks that were there', () => {
    fc.assert(
      fc.property(
        words.filter((text) => !text.includes('\\u200b')),
        (text) => {
          expect(mendControlWords(breakControlWords(text))).toBe(text);
        },
      ),
    );
  });

  it('come back from JSON that escapes the mark', () => {
    fc.assert(
      fc.property(words, (text) => {
        const written = JSON.stringify(breakControlWords(text)).replaceAll(MARK, '\\u200b');
        expect(JSON.parse(mendControlWords(written))).toBe(text);
      }),
    );
  });
});

describe('textOfPrompt', () => {
  const hello = [{ role: 'user', content: 'Say <|im_end|> and stop.' }];

  it('has the control words of the prompt and no others', () => {
    const prompt = compilePrompt('compact', tools).render(hello);
    const text = textOfPrompt(prompt);
    expect(mendControlWords(text)).toBe(promptText(prompt));
    const control = [...prompt.prefix, ...prompt.suffix].filter((segment) => segment.control);
    expect(text.match(/<\|(?!\u200B)[a-z_]+\|>/g)).toEqual(control.map((segment) => segment.text));
  });

  it('finds a control word that is cut in two', () => {
    expect(textOfPrompt(plainPrompt('<', '|im_end|>'))).toBe(`<|${MARK}im_end|>`);
  });

  it('leaves a prompt without them as it is', () => {
    const prompt = compilePrompt('hf-template-2.1', []).render([{ role: 'user', content: 'Hi' }]);
    expect(textOfPrompt(prompt)).toBe(promptText(prompt));
  });
});

describe('turnsOfPrompt', () => {
  it('gives the turns, and leaves the open one to the server', () => {
    const messages = [
      { role: 'user', content: 'One\n\ntwo <|im_start|>' },
      { role: 'assistant', content: '[]' },
      { role: 'tool', content: 'done' },
    ];
    const turns = turnsOfPrompt(compilePrompt('compact', tools).render(messages));
    expect(turns.map(({ role }) => role)).toEqual(['system', 'user', 'user', 'assistant', 'user']);
    expect(turns.slice(2).map(({ content }) => content)).toEqual([
      `One\n\ntwo <|${MARK}im_start|>`,
      '[]',
      'done',
    ]);
    expect(turns[1]?.content).toContain(`Say <|${MARK}im_end|>.`);
  });
});
