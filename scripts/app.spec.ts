import { expect, it } from 'vitest';
import { lastError, renderLine, warningReason } from './app.mjs';

it('renders a line of JSON as message and fields', () => {
  const line = JSON.stringify({
    level: 30,
    time: 1,
    pid: 2,
    service: 'worker',
    msg: 'turn resolved',
    runId: 'r1',
    query: 'two words',
    calls: [{ name: 'a' }],
  });
  expect(renderLine(line)).toBe('turn resolved runId=r1 query="two words" calls=[{"name":"a"}]');
});

it('shows the cause of an error, and cuts long values', () => {
  const line = { level: 50, msg: 'flush failed', err: { message: 'gone' }, text: 'x'.repeat(999) };
  expect(renderLine(JSON.stringify(line))).toMatch(/^flush failed text=x{160}… error=gone$/);
});

it.each(['plain text', '{ not json', '{"no":"level"}'])('leaves %s as it is', (line) => {
  expect(renderLine(line)).toBe(line);
});

const stderr = (...texts: string[]) => texts.map((text) => ({ text, stream: 'stderr' as const }));

it('finds the line that says why a program ended', () => {
  expect(lastError(stderr('hammerline worker: no model', 'Node.js v24'))).toBe(
    'hammerline worker: no model',
  );
  expect(
    lastError(stderr('file.js:1', 'TypeError: x is not a function', '    at y', 'Node.js v24')),
  ).toBe('TypeError: x is not a function');
  expect(lastError([{ text: 'only a log line', stream: 'stdout' }])).toBeUndefined();
});

it('finds why a process warns', () => {
  const line = (level: number) => JSON.stringify({ level, msg: 'm', reason: 'it loads' });
  expect(warningReason(line(40))).toBe('it loads');
  expect(warningReason(line(30))).toBeUndefined();
  expect(warningReason('it loads')).toBeUndefined();
});
