import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { JSON_LENGTH_HEADER } from './infer-body.js';
import { WholeAnswer } from './whole-answer.js';

const MIB = 2 ** 20;

describe('WholeAnswer', () => {
  it('takes little memory on the word of a server alone', () => {
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
    onTestFinished(() => allocate.mockRestore());
    const answer = new WholeAnswer(2 ** 31 - 1);
    answer.started(200, { 'content-length': String(2 ** 31 - 1) });
    answer.received(Buffer.from('{'));
    expect(allocate.mock.calls).toEqual([[16 * MIB]]);
  });

  it('takes as much as a short answer needs', () => {
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
    onTestFinished(() => allocate.mockRestore());
    const answer = new WholeAnswer(MIB);
    answer.started(200, { 'content-length': '100', [JSON_LENGTH_HEADER]: '13' });
    answer.received(Buffer.alloc(99));
    answer.received(Buffer.alloc(1));
    expect(allocate.mock.calls).toEqual([[103]]);
  });

  it('is whole where it is long, with its tensors where typed arrays can lie', async () => {
    const bytes = Buffer.alloc(70 * MIB + 5, '0123456789');
    const answer = new WholeAnswer(2 ** 31 - 1);
    answer.started(200, { 'content-length': String(bytes.length), [JSON_LENGTH_HEADER]: '13' });
    for (let at = 0; at < bytes.length; at += 3 * MIB) {
      answer.received(bytes.subarray(at, at + 3 * MIB));
    }
    answer.ended();
    const { body } = await answer.promise;
    expect(body.equals(bytes)).toBe(true);
    expect((body.byteOffset + 13) % 8).toBe(0);
  });
});
