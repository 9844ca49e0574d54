import { expect, test } from 'vitest';
import { CallHeaders } from './call-headers.js';

const headers = new CallHeaders({ secure: false, authority: 'triton:8001' });

test('what is the same in every call of a method is the same object, for the table of both ends', () => {
  const first = headers.fields('/a', [], undefined);
  expect(first.every(([, use]) => use === 'indexed')).toBe(true);
  expect(headers.fields('/a', [['x', 'y']], undefined).slice(0, first.length)).toEqual(first);
  expect(headers.fields('/a', [], undefined)).toBe(first);
  expect(headers.fields('/b', [], undefined)).toContainEqual([[':path', '/b'], 'indexed']);
});

test('metadata enters no table on the way, but for the trace', () => {
  const metadata = [
    ['authorization', 'Bearer x'],
    ['x-api-key', 'k'],
    ['traceparent', '00-1'],
    ['tracestate', 'a=b'],
    ['triton-grpc-protocol-infer-key', 'k'],
  ] as const;
  const uses = headers
    .fields('/a', metadata, undefined)
    .filter(([, use]) => use !== 'indexed')
    .map(([[name], use]) => [name, use]);
  expect(uses).toEqual([
    ['authorization', 'secret'],
    ['x-api-key', 'secret'],
    ['traceparent', 'once'],
    ['tracestate', 'once'],
    ['triton-grpc-protocol-infer-key', 'secret'],
  ]);
});

test('a server with TLS, and compression', () => {
  const secure = new CallHeaders({ secure: true, authority: 'a', compression: 'gzip' });
  const fields = secure.fields('/a', [], undefined).map(([field]) => field);
  expect(fields).toContainEqual([':scheme', 'https']);
  expect(fields).toContainEqual(['grpc-encoding', 'gzip']);
});
