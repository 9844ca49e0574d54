import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { compilePrompt, promptText } from '#libs/hammer';
import { maskKey, maskTools } from '#libs/masking';
import { readToolset } from '#libs/tools';
import { readFileSync } from 'node:fs';

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

it('hammerline --help is no error', () => {
  expect(hammerline(['--help'])).toMatchObject({ status: 0, stderr: '' });
});
