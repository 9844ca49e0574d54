import { spawnSync } from 'node:child_process';
import { describe, expect, it, vi } from 'vitest';
import { compilePrompt, promptText } from '#libs/hammer';
import { maskKey, maskTools } from '#libs/masking';
import { readToolset } from '#libs/tools';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Run } from '#libs/contracts';
import { run } from '../apps/cli/src/run.js';
import { useDesk } from './support/desk.js';
import { API_KEY } from './support/stack.js';

const FILE = 'examples/office/toolset.json';
const toolset = readToolset(JSON.parse(readFileSync(FILE, 'utf8')));

function hammerline(args: string[], input = '') {
  const { status, stdout, stderr } = spawnSync('node', ['scripts/hammerline.mjs', ...args], {
    input,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('hammerline mask', () => {
  it('shows the masks that a worker uses', () => {
    const { status, stdout } = hammerline(['mask', FILE, '--json']);
    const { tools, names } = maskTools(toolset.tools, { key: maskKey('default', toolset.hash) });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ tools, names });
  });

  it('names each mask, for people', () => {
    const { stdout } = hammerline(['mask', FILE, '--style', 'short', '--tenant', 'acme']);
    expect(stdout).toMatch(/^\w+ {2}append_section\n {2}\w+ {2}heading\n/);
    expect(stdout).not.toBe(hammerline(['mask', FILE, '--style', 'short']).stdout);
  });
});

describe('hammerline prompt', () => {
  it('prints what a model reads, to the byte', () => {
    const args = ['prompt', FILE, '--model', 'Hammer2.1-7b', '--mask', 'off', '--query', 'Hello.'];
    const prompt = compilePrompt('bfcl-2.1', toolset.tools);
    const messages = [{ role: 'user', content: 'Hello.' }];
    expect(hammerline(args).stdout).toBe(promptText(prompt.render(messages)));
  });

  it('masks names where a worker would', () => {
    const shows = (...args: string[]) => hammerline(['prompt', FILE, ...args]).stdout;
    expect(shows()).toContain('send_message');
    expect(shows('--model', 'Hammer2.1-7b')).not.toContain('send_message');
    expect(shows('--mask', 'on')).not.toContain('send_message');
  });

  it('reads tools and conversations that are piped in', () => {
    const tool = {
      name: 'f',
      description: 'd',
      parameters: { x: { type: 'int', description: 'n' } },
    };
    const { stdout } = hammerline(['prompt', '-', '--show', 'grammar'], JSON.stringify([tool]));
    expect(stdout).toContain('root ::=');
    expect(hammerline(['prompt', FILE, '--messages', '-'], '[{"role": "robot"}]')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('/0/role') as string,
    });
  });

  it('says what the grammar leaves to validation', () => {
    const parameters = { type: 'object', properties: { x: { type: 'string', pattern: 'a+' } } };
    const tools = [{ name: 'f', description: 'd', parameters }];
    const { stdout } = hammerline(['prompt', '-', '--show', 'report'], JSON.stringify(tools));
    expect(JSON.parse(stdout)).toMatchObject({ widened: [{ tool: 'f', keyword: 'pattern' }] });
  });
});

describe('wrong input', () => {
  it.each<[string, string[], number, string | RegExp]>([
    ['no file', ['mask', 'nowhere.json'], 1, 'nowhere.json cannot be read: ENOENT'],
    ['a file that is no JSON', ['mask', 'README.md'], 1, 'README.md is no JSON'],
    ['a file without tools', ['mask', 'package.json'], 1, 'give a list of tools'],
    ['an unknown model', ['prompt', FILE, '--model', 'gpt'], 1, '--flavour'],
    ['an unknown flavour', ['prompt', FILE, '--flavour', '3.0'], 2, 'Allowed choices'],
    ['an unknown command', ['fly'], 2, 'unknown command'],
    ['no command', [], 2, 'Usage:'],
  ])('%s', (_, args, status, said) => {
    const result = hammerline(args);
    expect(result).toMatchObject({ status, stdout: '' });
    expect(result.stderr).toContain(said);
  });

  it('in a list of tools is named by tool and field', () => {
    const { status, stderr } = hammerline(['mask', '-'], '[{"name": "f", "parameters": 5}]');
    expect(status).toBe(1);
    expect(stderr).toContain('/0/parameters');
  });
});

describe('hammerline runs', () => {
  const SEND = {
    name: 'send',
    arguments: { recipient: 'Dana', text: 'Ready.\u202e\u00a0' },
  } as const;
  const PAY = { name: 'pay', arguments: { invoice: 'A-17' } } as const;
  const LIGHT = { name: 'switch_light', arguments: { room: 'kitchen' } } as const;
  const desk = useDesk();

  interface Said {
    status: number;
    stdout: string;
    stderr: string;
  }

  /** In this process: each call of the real one takes a second. */
  async function runs(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Said> {
    const [stdout, stderr]: [string[], string[]] = [[], []];
    const log = vi.spyOn(console, 'log').mockImplementation((line) => void stdout.push(line));
    const error = vi.spyOn(console, 'error').mockImplementation((line) => void stderr.push(line));
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      stderr.push(String(text));
      return true;
    });
    const status = await run(['runs', ...args], {
      HAMMERLINE_URL: desk.stack.apps.gateway.url,
      HAMMERLINE_API_KEY: API_KEY,
      ...env,
    });
    for (const spy of [log, error, write]) spy.mockRestore();
    return { status, stdout: stdout.join('\n'), stderr: stderr.join('\n') };
  }

  const isWaiting = ({ calls }: Run): boolean => calls[0]?.state === 'awaiting_approval';

  /** A waiting run, and the command that `show` gives for it. */
  async function waiting(word: 'approve' | 'deny'): Promise<{ id: string; command: string[] }> {
    const { id } = await desk.submit([[SEND]]);
    await desk.once(id, isWaiting);
    const { status, stdout } = await runs(['show', id]);
    expect(status).toBe(0);
    expect(stdout).toContain('awaiting_approval · send · once');
    // Nothing that steers a terminal, and no colours where there is none.
    for (const control of ['\u001b', '\u202e']) expect(stdout).not.toContain(control);
    // What is approved is what is shown.
    expect(stdout).toContain(
      String.raw`arguments {"recipient":"Dana","text":"Ready.\u202e\u00a0"}`,
    );
    const [, command = ''] = new RegExp(`→ npx hammerline runs (${word} .*)`).exec(stdout) ?? [];
    return { id, command: command.split(' ') };
  }

  it('shows what a run waits for, and does what it shows', async () => {
    const approved = await waiting('approve');
    expect((await runs(approved.command)).status).toBe(0);
    expect(await desk.stack.ended(approved.id)).toMatchObject({ state: 'succeeded' });
    // Decided already.
    expect(await runs(approved.command)).toMatchObject({
      status: 5,
      stdout: '',
      stderr: expect.stringContaining('`succeeded`') as string,
    });
    const denied = await waiting('deny');
    expect((await runs(denied.command)).status).toBe(0);
    expect(await desk.stack.ended(denied.id)).toMatchObject({ state: 'failed' });
  });

  it('approves other arguments, and names the field that does not fit', async () => {
    const { id, command } = await waiting('approve');
    const wrong = await runs([...command, '--arguments', '{"recipient":"Dana"}']);
    expect(wrong).toMatchObject({ status: 1, stdout: '' });
    expect(wrong.stderr).toContain('/arguments/text');
    const edited = { recipient: 'Kim', text: 'Done.' };
    await runs([...command, '--arguments', JSON.stringify(edited)]);
    expect(await desk.stack.ended(id)).toMatchObject({ calls: [{ arguments: edited }] });
  });

  it('cancels, decides, lists and counts before it replays', async () => {
    const since = new Date().toISOString();
    desk.tools.script('/pay', { status: 500 });
    const paid = await desk.submit([[PAY]]);
    const { calls } = await desk.once(
      paid.id,
      (seen) => seen.calls[0]?.state === 'outcome_unknown',
    );
    const decide = ['decide', paid.id, calls[0]?.id ?? '', 'succeeded', '--result', '{"id":1}'];
    expect((await runs([...decide, '--json'])).stdout).toContain('"id": 1');
    expect(await desk.stack.ended(paid.id)).toMatchObject({ state: 'succeeded' });

    const { id } = await waiting('approve');
    expect(JSON.parse((await runs(['cancel', id, '--json'])).stdout)).toMatchObject({
      state: 'cancelled',
    });
    expect((await runs(['cancel', id])).status).toBe(0);
    expect((await runs(['cancel', paid.id])).status).toBe(5);

    desk.tools.script('/light', { status: 400 });
    const failed = await desk.submit([[LIGHT]]);
    await desk.stack.ended(failed.id);
    const list = await runs(['list', '--state', 'failed,cancelled', '--after', since, '--json']);
    const listed = JSON.parse(list.stdout) as { runs: Run[] };
    expect(listed.runs.map((one) => one.id)).toEqual([failed.id, id]);
    const table = await runs(['list', '--after', since, '--limit', '1']);
    expect(table.stdout).toMatch(new RegExp(`^RUN .*\n${failed.id} {2}failed +tool_failed +desk`));
    expect(table.stderr).toContain(`--cursor ${failed.id}`);

    const counted = await runs(['replay', '--code', 'tool_failed', '--after', since]);
    expect(counted.status).toBe(3);
    expect(counted.stdout).toMatch(/^ +1 {2}match and are over\n +1 {2}can be replayed$/);
    expect(counted.stderr).toContain('--yes');
    const begun = await runs(['replay', '--code', 'tool_failed', '--after', since, '--yes']);
    expect(begun).toMatchObject({ status: 0, stderr: '' });
    const [, second = ''] = /(\S+) {2}replays/.exec(begun.stdout) ?? [];
    expect(await desk.stack.ended(second)).toMatchObject({
      state: 'succeeded',
      replayOf: failed.id,
    });
    const nothing = await runs(['replay', failed.id]);
    expect(nothing.status).toBe(0);
    expect(nothing.stdout).toContain('1  were replayed before');
  });

  it('replays nothing that needs a choice, and says so', async () => {
    desk.tools.script('/pay', { status: 400 });
    const { id } = await desk.submit([[PAY]]);
    await desk.stack.ended(id);
    for (const args of [[id], [id, '--yes']]) {
      const { status, stdout, stderr } = await runs(['replay', ...args]);
      expect([status, stdout]).toEqual([3, expect.stringContaining('1  have `once` calls')]);
      expect(stderr).toContain('--once');
    }
    expect((await runs(['replay', id, '--once', 'retry', '--yes'])).status).toBe(0);
  });

  it('names the file of a key that cannot be read', () => {
    const cwd = mkdtempSync(path.join(tmpdir(), 'hammerline-cli-'));
    mkdirSync(path.join(cwd, '.hammerline/api-key'), { recursive: true });
    const main = path.resolve('dist/apps/cli/src/main.js');
    const { PATH } = process.env;
    const said = spawnSync(process.execPath, [main, 'runs', 'list'], {
      cwd,
      encoding: 'utf8',
      env: { PATH },
    });
    rmSync(cwd, { recursive: true });
    expect(said.status).toBe(1);
    expect(said.stderr).toMatch(/\.hammerline\/api-key cannot be read .*--key/);
    expect(said.stderr).not.toContain('HAMMERLINE_MODELS');
  });

  it.each<[string, string[], NodeJS.ProcessEnv, number, string]>([
    ['no such run', ['show', '01890a5d-ac96-774b-bcce-b302099a8057'], {}, 1, 'There is no run'],
    ['a wrong key', ['list', '--key', 'hl_wrong_key_wrong_key'], {}, 1, 'is not known'],
    ['no key', ['list'], { HAMMERLINE_API_KEY: '' }, 1, 'HAMMERLINE_API_KEY'],
    ['no address', ['list', '--url', 'ftp://x'], {}, 1, '--url'],
    ['nobody there', ['list', '--url', 'http://127.0.0.1:9'], {}, 4, 'cannot be reached'],
    ['an unknown state', ['list', '--state', 'done'], {}, 2, '"done" is none of'],
    ['an unknown code', ['list', '--code', 'done'], {}, 2, 'has the codes'],
    ['a time that is none', ['list', '--after', 'noon'], {}, 2, 'such as'],
    ['a time without a zone', ['list', '--after', '2026-11-22T09:30'], {}, 2, 'with its zone'],
    ['a time outside all years', ['list', '--after', '0000-01-01T00:00:00Z'], {}, 2, 'with its'],
    [
      'a replay of open runs',
      ['replay', '--state', 'queued'],
      {},
      2,
      '"queued" is none of succeeded',
    ],
    ['no hash', ['approve', 'a', 'b'], {}, 2, '--hash'],
    ['a hash that is none', ['deny', 'a', 'b', '--hash', 'x'], {}, 2, '64 hexadecimal'],
    ['arguments that are no JSON', ['approve', 'a', 'b', '--arguments', '{'], {}, 2, 'JSON'],
    ['another outcome', ['decide', 'a', 'b', 'maybe'], {}, 2, 'Allowed choices'],
    ['again without ids', ['replay', '--again'], {}, 1, '/again'],
  ])('%s', async (_, args, env, status, said) => {
    const result = await runs(args, env);
    expect([result.status, result.stdout]).toEqual([status, '']);
    expect(result.stderr).toContain(said);
  });
});

it('hammerline --help is no error', () => {
  expect(hammerline(['--help'])).toMatchObject({ status: 0, stderr: '' });
});
