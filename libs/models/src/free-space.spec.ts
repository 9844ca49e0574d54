import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { requireSpace } from './free-space.js';

it('room for a little is there, room for an exabyte is not', async () => {
  await requireSpace(tmpdir(), 1);
  await expect(requireSpace(tmpdir(), 1e18)).rejects.toThrow(
    /1000000000\.0 GB more are needed.*HAMMERLINE_MODELS/,
  );
});
