import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { generatedPart, transitionTables } from '../../../../test/support/transition-table.js';

it('docs/engine.md shows the transitions as they are (npm run -s docs:engine rewrites them)', () => {
  const page = new URL('../../../../docs/engine.md', import.meta.url);
  expect(generatedPart(readFileSync(page, 'utf8'))).toBe(transitionTables());
}, 60_000);
