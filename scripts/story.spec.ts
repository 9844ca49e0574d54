import { expect, it } from 'vitest';
import { parseStream } from './sse.mjs';
import { endedAsExpected, summary, type Call, type Run } from './story.mjs';

const call = (name: string, effect: string, state = 'succeeded'): Call => ({
  id: `id-${name}`,
  name,
  arguments: { a: 1 },
  effect,
  state,
});
const run = (...calls: Call[]): Run => ({
  id: 'r1',
  state: 'succeeded',
  outcome: calls.length > 0 ? 'calls' : 'irrelevant',
  model: 'm',
  confidence: 0.9,
  calls,
  traceId: 't1',
});

it('knows whether a run ended as expected', () => {
  const sent = run(call('send', 'once'));
  expect(endedAsExpected(sent, 'send')).toBe(true);
  expect(endedAsExpected(sent, undefined)).toBe(true);
  expect(endedAsExpected(sent, 'append')).toBe(false);
  expect(endedAsExpected(sent, 'irrelevant')).toBe(false);
  expect(endedAsExpected({ ...sent, state: 'failed' }, 'send')).toBe(false);
  expect(endedAsExpected(run(), 'irrelevant')).toBe(true);
  expect(endedAsExpected(run(), 'send')).toBe(false);
});

it('sums up runs; effect ids are those that an HTTP tool received', () => {
  const calls = [
    call('send', 'once'),
    call('list', 'read'),
    call('append', 'idempotent'),
    call('send2', 'once', 'denied'),
  ];
  const line = summary(
    [
      { run: run(...calls), expected: true },
      { run: run(), expected: true },
    ],
    new Set(['send', 'send2', 'list']),
  );
  expect(line).toMatchObject({ id: 'r1', state: 'succeeded', model: 'm', traceId: 't1' });
  expect(line.effectIds).toEqual(['id-send']);
  expect(line.calls).toHaveLength(4);
  expect(line.runs).toHaveLength(2);
});

it('has not succeeded where one request did not end as expected', () => {
  expect(summary([{ run: run(), expected: true }, { expected: false }], new Set()).state).toBe(
    'failed',
  );
  expect(summary([], new Set()).state).toBe('failed');
});

it('reads an event stream however it is cut', async () => {
  const bytes = new TextEncoder().encode(
    ': heartbeat\n\nid: 1\nevent: run.accepted\ndata: {"a":"ü"}\n\nid: 2\r\ndata: x\r\ndata: y\r\n\r\nid: 3\n',
  );
  for (const size of [1, 2, 7, bytes.length]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    const events = [];
    for await (const event of parseStream(chunks)) events.push(event);
    expect(events).toEqual([
      { id: '1', data: '{"a":"ü"}' },
      { id: '2', data: 'x\ny' },
    ]);
  }
});
