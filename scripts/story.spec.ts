import { expect, it } from 'vitest';
import { parseStream } from './sse.mjs';
import { judge, outcomeOf, summary, type Call, type Run } from './story.mjs';

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

const good = { expected: true, heldBack: false };
const held = { expected: false, heldBack: true };
const bad = { expected: false, heldBack: false };

it('knows whether a run ended as expected', () => {
  const sent = run(call('send', 'once'));
  expect(judge(sent, 'send')).toEqual(good);
  expect(judge(sent, undefined)).toEqual(good);
  expect(judge(sent, 'append')).toEqual(bad);
  expect(judge(sent, 'irrelevant')).toEqual(bad);
  expect(judge({ ...sent, state: 'failed' }, 'send')).toEqual(bad);
  expect(judge(run(), 'irrelevant')).toEqual(good);
  expect(judge(run(), 'send')).toEqual(bad);
});

it('knows a run whose calls are as expected, but held back', () => {
  const denied = (code: string): Call => ({
    ...call('send', 'once', 'denied'),
    error: { code, message: 'no' },
  });
  const unsure: Run = { ...run(denied('low_confidence')), state: 'failed' };
  expect(judge(unsure, 'send')).toEqual(held);
  expect(judge(unsure, undefined)).toEqual(held);
  expect(judge(unsure, 'append')).toEqual(bad);
  expect(judge(unsure, 'irrelevant')).toEqual(bad);
  expect(judge({ ...unsure, calls: [denied('refused')] }, 'send')).toEqual(bad);
  const also = (state: string) => [call('send', 'read', state), denied('low_confidence')];
  expect(judge({ ...unsure, calls: also('succeeded') }, 'send')).toEqual(held);
  expect(judge({ ...unsure, calls: also('failed') }, 'send')).toEqual(bad);
});

it('knows a call that waits for a person as held back', () => {
  const waiting: Run = { ...run(call('send', 'once', 'awaiting_approval')), state: 'executing' };
  expect(judge(waiting, 'send')).toEqual(held);
  expect(judge(waiting, 'append')).toEqual(bad);
  const unknown: Run = { ...run(call('send', 'once', 'outcome_unknown')), state: 'executing' };
  expect(judge(unknown, 'send')).toEqual(bad);
});

it('tells a sample that was held back from one that failed', () => {
  expect(outcomeOf([good, good])).toBe('succeeded');
  expect(outcomeOf([good, held])).toBe('held_back');
  expect(outcomeOf([good, held, bad])).toBe('failed');
  expect(outcomeOf([])).toBe('failed');
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
      { run: run(...calls), ...good },
      { run: run(), ...good },
    ],
    new Set(['send', 'send2', 'list']),
  );
  expect(line).toMatchObject({ id: 'r1', state: 'succeeded', model: 'm', traceId: 't1' });
  expect(line.effectIds).toEqual(['id-send']);
  expect(line.calls).toHaveLength(4);
  expect(line.runs).toHaveLength(2);
});

it('has not succeeded where one request did not end as expected', () => {
  expect(summary([{ run: run(), ...good }, bad], new Set()).state).toBe('failed');
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
