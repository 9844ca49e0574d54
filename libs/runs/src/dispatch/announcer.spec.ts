import { createLogger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { Announcer } from './announcer.js';
import { HALTED_CHANNEL, shardChannel } from './channels.js';

const log = createLogger('test', 'fatal');
const [A, B] = ['0190a000-0000-7000-8000-000000000001', '0190a000-0000-7000-8000-000000000002'];

/** A Redis that takes note of what is published, or refuses it. */
function scripted(refuses = false): { redis: Redis; published: [string, unknown][] } {
  const published: [string, unknown][] = [];
  const publish = (channel: string, text: string): Promise<number> => {
    published.push([channel, JSON.parse(text)]);
    return refuses ? Promise.reject(new Error('away')) : Promise.resolve(0);
  };
  return { redis: { publish } as unknown as Redis, published };
}

const turn = (): Promise<void> => new Promise(setImmediate);

it('says what comes first at once, and all that follows in one message for each shard, in order', async () => {
  const { redis, published } = scripted();
  const announcer = new Announcer(redis, log);
  const change = (runId: string, version: number) => ({ runId, version, isOver: false });
  announcer.changed(change(A, 2));
  announcer.changed(change(B, 2));
  announcer.halted(B);
  announcer.changed(change(A, 3));
  announcer.changed(change(A, 4));
  const first = [shardChannel(A), [change(A, 2)]];
  expect(published).toEqual([first]);
  await turn();
  expect(published).toEqual([
    first,
    [shardChannel(B), [change(B, 2)]],
    [HALTED_CHANNEL, [B]],
    [shardChannel(A), [change(A, 3), change(A, 4)]],
  ]);
  announcer.changed(change(A, 5));
  expect(published.at(-1)).toEqual([shardChannel(A), [change(A, 5)]]);
  await turn();
  expect(published).toHaveLength(5);
});

it('loses what Redis refuses, and goes on', async () => {
  const { redis, published } = scripted(true);
  const announcer = new Announcer(redis, log);
  announcer.halted(A);
  await turn();
  announcer.halted(B);
  await turn();
  expect(published).toEqual([
    [HALTED_CHANNEL, [A]],
    [HALTED_CHANNEL, [B]],
  ]);
});
