import { describe, expect, test } from 'vitest';
import { metadataFields } from './metadata-fields.js';

describe('metadataFields', () => {
  test('names in lower case, values as they are', () => {
    expect(metadataFields({ 'X-Trace_1': 'a b', authorization: '' })).toEqual([
      ['x-trace_1', 'a b'],
      ['authorization', ''],
    ]);
  });

  test.each([
    'content-type',
    'TE',
    'grpc-timeout',
    'host',
    'connection',
    'proxy-connection',
    'keep-alive',
    'upgrade',
    'transfer-encoding',
    'content-length',
  ])("%s is not the caller's to set", (name) => {
    expect(() => metadataFields({ [name]: 'x' })).toThrow(`metadata "${name}": is part of`);
  });

  test.each(['', ':path', 'two words', 'grün', 'a\nb'])('%j is no name', (name) => {
    expect(() => metadataFields({ [name]: 'x' })).toThrow('is no header name');
  });

  test.each(['ü', 'a\r\nb', ' a', 'a ', '\0'])('%j is no value', (value) => {
    expect(() => metadataFields({ name: value })).toThrow('metadata "name": has a value');
  });
});
