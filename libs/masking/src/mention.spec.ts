import { describe, expect, it } from 'vitest';
import { mention, replaceMentions } from './mention.js';

describe('mention', () => {
  it.each([
    ['5 km', '5', 'exactly'],
    ['it is 5km.', '5', 'exactly'],
    ['take 5.', '5', 'exactly'],
    ['a 5-day trip', '5', 'exactly'],
    ['$5, please', '5', 'exactly'],
    ['in 2015', '5', 'not'],
    ['5.1 or 1.5', '5', 'not'],
    ['rate 0.025', '25', 'not'],
    ['v5', '5', 'not'],
    ['$5,000 down', '5000', 'otherwise'],
    ['5.0 km', '5', 'otherwise'],
    ['5 km', '5.0', 'otherwise'],
    ['at 2.5% a year', '0.025', 'otherwise'],
    ['at 2.5 % a year', '0.025', 'otherwise'],
    ['.5 l', '0.5', 'otherwise'],
    ['Three months', '3', 'otherwise'],
    ['3 of three', '3', 'otherwise'],
    ['-7 degrees', '-7', 'exactly'],
    ['the King of France', 'king', 'exactly'],
    ["the king's crown", 'King', 'exactly'],
    ['two kings', 'king', 'otherwise'],
    ['a king and kings', 'king', 'otherwise'],
    ['Boston, MA.', 'Boston, MA', 'exactly'],
    ['run echo %time%', 'echo %time%', 'exactly'],
    ['a+b (c)', 'b (c)', 'exactly'],
    ['größe', 'grö', 'otherwise'],
    ['new_york', 'New York', 'otherwise'],
    ['is 3x^2 + 1', '3x**2 + 1', 'otherwise'],
    ['a ++ b', '++', 'exactly'],
    ['a - b', '++', 'not'],
    ['nothing', 'King', 'not'],
    ['', 'x', 'not'],
    ['x', '', 'not'],
    ['aa aaa aa', 'aa', 'otherwise'],
    ['İİ km', 'KM', 'exactly'],
    ['𝒳km', 'km', 'otherwise'],
    ['km𝒳', 'km', 'otherwise'],
  ])('%j says %j: %s', (text, phrase, expected) => {
    expect(mention(text, phrase)).toBe(expected);
  });
});

describe('replaceMentions', () => {
  it.each([
    ['KING, king and kings', 'king', 'a.B_1', 'a.B_1, a.B_1 and kings'],
    ['5 of 15, 5km, 5.5 and 5.', '5', '7', '7 of 15, 7km, 5.5 and 7.'],
    ['a $ b', '$', '$&', 'a $& b'],
    ['İ: km', 'KM', 'mi', 'İ: mi'],
    ['a a a', 'a a', 'b', 'b a'],
    ['text', '', 'b', 'text'],
  ])('%j, %j by %j: %j', (text, phrase, by, expected) => {
    expect(replaceMentions(text, phrase, by)).toBe(expected);
  });
});
