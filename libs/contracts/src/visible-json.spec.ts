import { expect, it } from 'vitest';
import { visibleJson } from './visible-json.js';

it.each([
  ['a no-break space', 'a\u00a0b', String.raw`"a\u00a0b"`],
  ['a line separator', 'a\u2028b', String.raw`"a\u2028b"`],
  ['a line end', 'a\nb', String.raw`"a\nb"`],
  ['an override of direction', 'a\u202eb', String.raw`"a\u202eb"`],
  ['an escape of terminals', 'a\u001b[2Jb', String.raw`"a\u001b[2Jb"`],
  ['a control of the second set', 'a\u009bb', String.raw`"a\u009bb"`],
  ['a joiner that shows nothing', 'a\u034fb', String.raw`"a\u034fb"`],
  ['a filler that shows nothing', 'a\u3164b', String.raw`"a\u3164b"`],
  ['a tag beyond the first plane', 'a\u{e0041}b', String.raw`"a\udb40\udc41b"`],
  ['half a character', 'a\ud800b', String.raw`"a\ud800b"`],
])('shows %s', (_, text, shown) => {
  expect(visibleJson(text)).toBe(shown);
  expect(JSON.parse(shown)).toBe(text);
});

it('leaves what can be seen as it is: each blank, letters, signs', () => {
  expect(visibleJson({ text: 'Zwei  Wörter, 漢字 👍' })).toBe('{"text":"Zwei  Wörter, 漢字 👍"}');
});

it('shows names too, and may be indented', () => {
  expect(visibleJson({ 'a\u00a0b': [1] }, 2)).toBe('{\n  "a\\u00a0b": [\n    1\n  ]\n}');
});
