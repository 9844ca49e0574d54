import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from './build.mjs';
import { describe } from './failure.mjs';
import { checkPlatform, thisPlatform } from './platform.mjs';
import { isMain, ROOT } from './root.mjs';
import { setup } from './setup.mjs';
import { bold, print } from './terminal.mjs';

/** Scripts of package.json: each counts as one test. */
const CHECKS = ['typecheck', 'lint', 'format:check'];
/** Scripts of package.json that run Vitest: each of its tests counts. */
const SUITES = ['test:unit', 'test:e2e'];

/** @typedef {{ passed: number, failed: number }} Count */

/**
 * What Vitest's JSON report says. A file that could not be run has no tests, yet must not pass as none; nor must an
 * error outside of any test, which shows only in the exit code.
 *
 * @param {{ numPassedTests: number, numFailedTests: number,
 *   testResults: { status: string, assertionResults: unknown[] }[] } | undefined} report
 * @param {number} code
 * @returns {Count}
 */
export function countTests(report, code) {
  if (!report) return { passed: 0, failed: 1 };
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  const failed = report.numFailedTests + broken.length;
  return { passed: report.numPassedTests, failed: failed === 0 && code !== 0 ? 1 : failed };
}

/** @param {Count[]} counts */
export function total(counts) {
  return {
    passed: counts.reduce((sum, { passed }) => sum + passed, 0),
    failed: counts.reduce((sum, { failed }) => sum + failed, 0),
  };
}

/** @returns {Promise<Count[]>} */
async function main() {
  /** @type {Count[]} */
  const counts = [];
  try {
    checkPlatform(thisPlatform());
    header('set-up');
    await setup({ weights: true });
    await build();
  } catch (error) {
    console.error(describe(error));
    return [{ passed: 0, failed: 1 }];
  }
  for (const script of CHECKS) {
    header(script);
    const code = await runScript(script);
    counts.push(code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-test-'));
  for (const script of SUITES) {
    header(script);
    const file = path.join(folder, 'report.json');
    const code = await runScript(
      script,
      ` --reporter=default --reporter=json --outputFile.json=${file}`,
    );
    counts.push(countTests(readReport(file), code));
    rmSync(file, { force: true });
  }
  rmSync(folder, { recursive: true });
  return counts;
}

/** @param {string} text */
function header(text) {
  print(`\n${bold(`── ${text} ${'─'.repeat(Math.max(0, 70 - text.length))}`)}`);
}

/**
 * Runs a script of package.json as npm would, without npm's own words around it.
 *
 * @param {string} name
 * @param {string} more arguments
 * @returns {Promise<number>}
 */
function runScript(name, more = '') {
  const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  const bin = path.join(ROOT, 'node_modules/.bin');
  const child = spawn('sh', ['-c', `${scripts[name]}${more}`], {
    cwd: ROOT,
    env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}` },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return new Promise((resolve) => {
    child.once('error', () => resolve(1)).once('close', (code) => resolve(code ?? 1));
  });
}

/** @param {string} file */
function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

if (isMain(import.meta.url)) {
  const { passed, failed } = total(await main());
  print(`\n${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
