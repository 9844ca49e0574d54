import { readdirSync, readFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { ExecutorConfig } from '../apps/executor/src/config.js';
import { GatewayConfig } from '../apps/gateway/src/config.js';
import { WorkerConfig } from '../apps/worker/src/config.js';

const pages = [
  'README.md',
  'libs/hammer/README.md',
  'libs/masking/README.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => path.join('docs', file)),
];

it('docs/configuration.md names every variable, and no other', () => {
  const text = readFileSync('docs/configuration.md', 'utf8');
  const documented = new Set([...text.matchAll(/^\| `([A-Z_]+)` *\|/gm)].map(([, name]) => name));
  const known = [GatewayConfig, WorkerConfig, ExecutorConfig].flatMap(({ shape }) =>
    Object.keys(shape),
  );
  const elsewhere = ['HAMMERLINE_CACHE', 'HAMMERLINE_MODELS', 'NO_COLOR'];
  expect(documented).toEqual(new Set([...known, ...elsewhere]));
});

it.each(pages)('%s: its local links lead somewhere', (page) => {
  const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)];
  const broken = links.filter(([, link = '']) => !existsSync(path.join(path.dirname(page), link)));
  expect(broken).toEqual([]);
});

it.each(pages)('%s: its npm scripts exist', (page) => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: object };
  for (const [, name = ''] of readFileSync(page, 'utf8').matchAll(/npm run (?:-s )?([\w:]+)/g)) {
    expect(Object.keys(scripts)).toContain(name);
  }
});
