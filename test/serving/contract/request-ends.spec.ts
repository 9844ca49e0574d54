import path from 'node:path';
import { expect, it } from 'vitest';
import { run } from '../../../scripts/process.mjs';
import { ROOT } from '../../../scripts/root.mjs';
import { setupTriton } from '../../../scripts/triton.mjs';
import { setupLlm } from '../../../scripts/triton-llm.mjs';

const REPOSITORY = path.join(ROOT, 'triton/model_repository/cpu');

it('ends each request of the CPU model once, whatever comes first', async () => {
  const triton = await setupTriton();
  const env = { ...process.env, ...(await setupLlm(triton, REPOSITORY)) };
  const { tail } = await run(
    path.join(triton.bin, 'python3'),
    ['-B', path.join(import.meta.dirname, 'request-ends.py'), path.join(REPOSITORY, 'hammer/1')],
    { env },
  );
  // What unittest says at the end when nothing failed.
  expect(tail.map(({ text }) => text)).toContain('OK');
});
