import { describe, expect, it, vi } from 'vitest';
import type { GenerateFields } from '../protocol.js';
import { PushQueue } from '../push-queue.js';
import { TritonError } from '../triton-error.js';
import { GenerateStream } from './generate-stream.js';

const TYPE = { 'content-type': 'text/event-stream; charset=utf-8' };

function event(fields: unknown): Buffer {
  return Buffer.from(`data: ${JSON.stringify(fields)}\n\n`);
}

function open(
  status = 200,
  headers: Record<string, string> = TYPE,
): { stream: GenerateStream; answers: PushQueue<GenerateFields>; pause: () => void } {
  const answers = new PushQueue<GenerateFields>({ limit: 1_050 });
  const pause = vi.fn<() => void>();
  const explain = (error: TritonError): TritonError => error.with({ operation: 'GenerateStream' });
  const stream = new GenerateStream({ answers, pause, explain }, 1_000_000);
  stream.started(status, headers);
  return { stream, answers, pause };
}

describe('GenerateStream', () => {
  it('gives the answers, and asks to hold on while the reader is behind', async () => {
    const { stream, answers, pause } = open();
    stream.received(event({ n: 1 }));
    expect(pause).not.toHaveBeenCalled();
    stream.received(Buffer.concat([event({ n: 2 }), event({ n: 3 })]));
    expect(pause).toHaveBeenCalledTimes(1);
    stream.ended();
    for (const n of [1, 2, 3]) expect((await answers.next()).value).toEqual({ n });
    expect(await answers.next()).toEqual({ done: true, value: undefined });
  });

  it('weighs an answer for more than its bytes: many small ones take memory, too', () => {
    const { stream, pause } = open();
    stream.received(Buffer.from('data: {}\n\n'.repeat(2)));
    expect(pause).not.toHaveBeenCalled();
    stream.received(Buffer.from('data: {}\n\n'));
    expect(pause).toHaveBeenCalledTimes(1);
  });

  it('gives what came before the connection broke', async () => {
    const { stream, answers } = open();
    expect(stream.answered).toBe(false);
    stream.received(event({ n: 1 }));
    expect(stream.answered).toBe(true);
    stream.failed(new TritonError('unavailable', 'broke'));
    expect((await answers.next()).value).toEqual({ n: 1 });
    await expect(answers.next()).rejects.toMatchObject({
      code: 'unavailable',
      operation: 'GenerateStream',
    });
  });

  it.each(['cancelled', 'deadline_exceeded'] as const)(
    'gives nothing more once %s',
    async (code) => {
      const { stream, answers } = open();
      stream.received(event({ n: 1 }));
      stream.failed(new TritonError(code, 'enough'));
      await expect(answers.next()).rejects.toMatchObject({ code });
    },
  );

  it.each([
    [200, [event({ n: 1 }), event({ error: 'boo' })], 'internal', 'model_error'],
    [400, [event({ error: 'boo' })], 'internal', 'model_error'],
    [
      400,
      [event({ error: "Request for unknown model: 'm' is not found" })],
      'not_found',
      'not_ready',
    ],
    [500, [event({ error: "Stub process 'm' is not healthy." })], 'unavailable', 'model_process'],
    [200, [Buffer.from('data: {\n\n')], 'internal', 'protocol'],
    [200, [event([1])], 'internal', 'protocol'],
    [200, [Buffer.from('data: "\u00ff"\n\n', 'latin1')], 'data_loss', 'malformed_text'],
    [200, [Buffer.from('data: {}\n')], 'internal', 'protocol'],
    [503, [], 'unavailable', undefined],
  ])('fails: status %d, %s', (status, chunks, code, reason) => {
    const { stream } = open(status);
    const run = (): void => {
      for (const chunk of chunks) stream.received(chunk);
      stream.ended();
    };
    expect(run).toThrow(expect.objectContaining({ code, reason }));
  });

  it('fails with the error of an answer that is no stream', () => {
    const { stream } = open(404, { 'content-type': 'application/json' });
    stream.received(Buffer.from('{"error":"Request for unknown'));
    stream.received(Buffer.from(" model: 'm' is not found\"}"));
    expect(() => stream.ended()).toThrow(
      expect.objectContaining({ code: 'not_found', status: 404 }),
    );
    expect(stream.answered).toBe(false);
  });

  it('refuses a stream that is compressed', () => {
    expect(() => open(200, { ...TYPE, 'content-encoding': 'gzip' })).toThrow(/gzip/);
  });
});
