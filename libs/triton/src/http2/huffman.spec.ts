import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeHuffman } from './huffman.js';

/** The bytes 0 to 255 in their order, coded by the Python package hpack 4.2.0, which has its own table. */
const everyByte = Buffer.from(
  '/8f//Y///+L///4////k///+X///5v///n///+j//+r////z///6f///q////9///+v///7P///t///+7///7////w////H///8v////v///z////T///9f///2////f///+P///5////r///+1P4/n/r/yr8f6/r+/n/f0suwAImWm3HXn7n3//IP+/8/9Q3b1/BhxY8mXNn0adWvZt3b+HHl+c/3/3//w/+f/kX/9HGSQss05unWimo9faxCbe/jz69//7/n/7/9////z//m//9L//n//6P//T//9T//1f//s//+t//9r//7f//3P//u///e///r//+////Z///b//6///4P//7v//w///i///H//+T//uf/+x//+X//2f//zf//n///v//9r//u//9P//t//+5//+j//9P//e///V//7v//vf//4f/9///3///1///s//8H//h//+D//xf//t//+H//93//7//+r//4v//j//+T//+H//y///N///H///g///4f/+v//j//8///8v//o///2f//8X///H///yf//97///v///8v//+P//+3//l//4///+b///wf//+H///n///8X//+X//k//8v///R///0////7///4////J///5f/+z///P//t//83//0//+f//0f//z//+r//6///93//+////T///X///q///p///1///+b///s///7f///P///6P///T///6v///X////3///s///9v///u///9////w///7vw==',
  'base64',
);

describe('Huffman codes', () => {
  test('every byte', () => {
    expect(decodeHuffman(everyByte)).toBe(
      Buffer.from(Array.from({ length: 256 }, (_, at) => at)).toString('latin1'),
    );
  });

  test('nothing', () => {
    expect(decodeHuffman(Buffer.alloc(0))).toBe('');
  });

  test.each([
    ['padding of a whole byte', 'ff'],
    ['padding that is not all ones: "a" and zeros', '18'],
    ['the end mark', 'fffffffc'],
    ['the end mark after a text', '1fffffffff'],
  ])('refuses %s', (_, hex) => {
    expect(decodeHuffman(Buffer.from(hex, 'hex'))).toBeUndefined();
  });

  test('any bytes are a text, no longer than eight bits in five, or broken', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const text = decodeHuffman(bytes) ?? '';
        expect(text.length).toBeLessThanOrEqual((bytes.length * 8) / 5);
      }),
    );
  });
});
