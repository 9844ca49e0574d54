import { expect, it } from 'vitest';
import { tooOld } from './check-node.js';

it.each(['22.19.0', '22.20.1', '23.0.0', '24.21.0', '100.0.0'])('Node %s is fine', (version) => {
  expect(tooOld(version)).toBeUndefined();
});

it.each(['20.20.0', '22.18.9', '22.2.0', '9.99.0'])('Node %s is too old', (version) => {
  expect(tooOld(version)).toBe(`@hammerline/triton needs Node 22.19 or newer, this is ${version}`);
});
