import { describe, expect, it } from 'vitest';
import { loads } from '#libs/pyjson';
import { judgeAnswer } from './judge-answer.js';
import { readBfcl } from './read-bfcl.js';

const question =
  '{"id": "x_0", "question": [[{"role": "user", "content": "Double 4."}]], "function": [{"name": "double", "parameters": {"type": "dict", "properties": {"n": {"type": "integer"}}, "required": ["n"]}}]}';
const [irrelevant] = readBfcl(question);
const [entry] = readBfcl(question, '{"id": "x_0", "ground_truth": [{"double": {"n": [4]}}]}');
if (entry === undefined || irrelevant === undefined) throw new Error('no entry was read');
const call = (values: string) => ({ name: 'double', arguments: loads(values) });

describe('judgeAnswer', () => {
  it.each([
    ['the right call', [call('{"n": 4}')], undefined],
    ['a float for an integer', [call('{"n": 4.0}')], 'type_error:simple'],
    ['no call', [], 'simple_function_checker:wrong_count'],
    ['arguments that are no object', [call('[4]')], 'ast_decoder:decoder_wrong_output_format'],
    ['undecodable text', undefined, 'ast_decoder:decoder_failed'],
  ])('judges %s', (_, calls, errorType) => {
    const verdict = errorType === undefined ? { valid: true } : { valid: false, errorType };
    expect(judgeAnswer(entry, 'simple_python', calls)).toEqual(verdict);
  });

  it.each([
    ['no call', []],
    ['undecodable text', undefined],
    ['arguments that are no object', [call('{}'), call('[4]')]],
  ])('takes %s for a refusal where no tool fits', (_, calls) => {
    expect(judgeAnswer(irrelevant, 'irrelevance', calls)).toEqual({ valid: true });
    expect(judgeAnswer(irrelevant, 'live_irrelevance', calls)).toEqual({ valid: true });
  });

  it('takes any call for wrong where no tool fits', () => {
    const verdict = { valid: false, errorType: 'irrelevance_error:decoder_success' };
    expect(judgeAnswer(irrelevant, 'irrelevance', [call('{"n": 4}')])).toEqual(verdict);
  });

  it('refuses an entry without answers in a category that needs them', () => {
    expect(() => judgeAnswer(irrelevant, 'simple_python', [])).toThrow('is missing in x_0');
  });
});
