import { describe, expect, it } from 'vitest';
import type { GenerateFields } from '../protocol.js';
import { TritonError } from '../triton-error.js';
import { GenerateStream } from './generate-stream.js';

const TYPE = { 'content-type': 'text/event-stream; charset=utf-8' };

function event(fields: unknown): Buffer {
  return Buffer.from(`data: ${JSON.stringify(fields)}\n\n`);
}

function open(status = 200, headers = TYPE): GenerateStream {
  const stream = new GenerateStream(1_000_000);
  stream.started(status, headers);
  return stream;
}

class Flow {
  paused = false;
  onResume: () => void = () => {};

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.onResume();
  }
}

async function rest(answers: AsyncIterable<GenerateFields>): Promise<GenerateFields[]> {
  const all: GenerateFields[] = [];
  for await (const answer of answers) all.push(answer);
  return all;
}

describe('GenerateStream', () => {
  it('stops the flow while the caller is behind', async () => {
    const stream = open();
    const flow = new Flow();
    const answers = stream.answers(flow);
    const first = answers.next();
    stream.received(Buffer.concat(Array.from({ length: 20 }, (_, n) => event({ n }))));
    expect(flow.paused).toBe(true);
    expect(await first).toEqual({ done: false, value: { n: 0 } });
    for (let n = 1; n < 20; n++) expect((await answers.next()).value).toEqual({ n });
    expect(flow.paused).toBe(true);
    flow.onResume = () => stream.ended();
    expect(await answers.next()).toEqual({ done: true, value: undefined });
    expect(flow.paused).toBe(false);
  });

  it('sees what comes at the very moment of resuming', async () => {
    const stream = open();
    const flow = new Flow();
    flow.onResume = () => {
      stream.received(event({ n: 1 }));
      stream.ended();
    };
    expect(await rest(stream.answers(flow))).toEqual([{ n: 1 }]);
  });

  it('gives what came before the connection broke', async () => {
    const stream = open();
    stream.received(event({ n: 1 }));
    expect(stream.answered).toBe(true);
    stream.failed(new TritonError('unavailable', 'broke'));
    const answers = stream.answers(new Flow());
    expect((await answers.next()).value).toEqual({ n: 1 });
    await expect(answers.next()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('gives nothing more once the call is given up', async () => {
    const stream = open();
    stream.received(event({ n: 1 }));
    stream.failed(new TritonError('cancelled', 'enough'));
    await expect(rest(stream.answers(new Flow()))).rejects.toMatchObject({ code: 'cancelled' });
  });

  it.each([
    [200, [event({ n: 1 }), event({ error: 'boo' })], 'internal', 'model_error', 'answered'],
    [400, [event({ error: 'boo' })], 'internal', 'model_error', 'sent'],
    [
      500,
      [event({ error: "Stub process 'm' is not healthy." })],
      'unavailable',
      'model_process',
      'sent',
    ],
    [200, [Buffer.from('data: {\n\n')], 'internal', 'protocol', 'answered'],
    [200, [event([1])], 'internal', 'protocol', 'answered'],
    [200, [Buffer.from('data: "\u00ff"\n\n', 'latin1')], 'data_loss', 'malformed_text', 'answered'],
    [200, [Buffer.from('data: {}\n')], 'internal', 'protocol', 'answered'],
    [503, [], 'unavailable', undefined, 'sent'],
  ])('fails: status %d, %s', async (status, chunks, code, reason, progress) => {
    const stream = open(status);
    for (const chunk of chunks) stream.received(chunk);
    stream.ended();
    await expect(rest(stream.answers(new Flow()))).rejects.toMatchObject({
      code,
      reason,
      progress,
    });
  });

  it('fails with the error of an answer that is no stream', async () => {
    const stream = open(404, { 'content-type': 'application/json' });
    stream.received(Buffer.from('{"error":"Request for unknown'));
    stream.received(Buffer.from(" model: 'm' is not found\"}"));
    stream.ended();
    expect(stream.answered).toBe(false);
    await expect(rest(stream.answers(new Flow()))).rejects.toMatchObject({
      code: 'not_found',
      status: 404,
    });
  });
});
