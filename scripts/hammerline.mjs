#!/usr/bin/env node
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { NODE, ROOT } from './root.mjs';

// The command line tool of apps/cli. What the build says goes to stderr: stdout is the tool's own.
if (!existsSync(NODE)) {
  console.error('hammerline: its packages are not installed: run `npm install` in the checkout');
  process.exit(1);
}
const built = spawnSync(NODE, [path.join(ROOT, 'scripts/build.mjs')], { stdio: ['ignore', 2, 2] });
if (built.status !== 0) process.exit(1);
const main = path.join(ROOT, 'dist/apps/cli/src/main.js');
const child = spawn(NODE, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.on(signal, () => child.kill(signal));
}
child.once('close', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
});
