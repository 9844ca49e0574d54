import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ModelCard, openStore } from '#libs/models';
import { run } from '../apps/cli/src/run.js';
import { chooseModel } from '../scripts/choose-model.mjs';
import { ggufFile, hammerGguf } from './support/gguf.js';
import { type HubServer, startHub } from './support/hub-server.js';

const HAMMER = 'MadeAgents/Hammer2.1-1.5b';
const QUANTISED = 'someone/Hammer2.1-1.5b-GGUF';
const WEIGHTS = 'model.safetensors';
const SIZE = 4_000_000;

const beside = {
  'README.md': 'a page',
  'config.json': '{"max_position_embeddings": 32768}',
  'generation_config.json': '{"eos_token_id": [151645, 151643]}',
  'tokenizer.json': '{"version": "1.0"}',
  'tokenizer_config.json': JSON.stringify({
    eos_token: '<|im_end|>',
    added_tokens_decoder: { 151643: { content: '<|endoftext|>' } },
  }),
};
const nonCommercial = { license: 'cc-by-nc-4.0' };
const shards = { weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } };
const weights = randomBytes(SIZE);

const repositories = {
  [HAMMER]: { card: nonCommercial, files: { ...beside, [WEIGHTS]: weights } },
  [QUANTISED]: {
    files: {
      'Hammer2.1-1.5b.Q4_K_M.gguf': hammerGguf('Hammer2.1 1.5b', 100_000),
      'Hammer2.1-1.5b.Q8_0.gguf': hammerGguf('Hammer2.1 1.5b', 200_000),
    },
  },
  'someone/tool-caller-GGUF': {
    card: { license: 'apache-2.0', base_model: [HAMMER] },
    files: { 'tool-caller.gguf': hammerGguf('h') },
  },
  'MadeAgents/Hammer2.0-3b': {
    card: {
      license: 'other',
      license_name: 'qwen-research',
      license_link: 'https://example.com/l',
    },
    files: {
      ...beside,
      [WEIGHTS]: 'of another model',
      'model.safetensors.index.json': JSON.stringify(shards),
      'model-1.safetensors': 'one',
      'model-2.safetensors': 'two',
    },
  },
  'locked/Hammer2.0-7b': {
    card: { license: 'cc-by-4.0' },
    gated: true,
    files: { ...beside, [WEIGHTS]: 'weights' },
  },
  'evil/paths': { files: { '../../evil.gguf': 'GGUF' } },
  'evil/index': {
    card: { license: 'mit' },
    files: {
      ...beside,
      'model.safetensors.index.json': '{"weight_map": {"a": "../../../evil.safetensors"}}',
    },
  },
};

let hub: HubServer;
let folder = '';
const children = new Set<ChildProcess>();

beforeAll(() => {
  const { status, stderr } = spawnSync('node', ['scripts/build.mjs'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'models-'));
  hub = await startHub({ repositories, token: 'secret', pageSize: 3 });
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await hub.close();
  await rm(folder, { recursive: true });
});

interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const variables = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HF_ENDPOINT: hub.url,
  HAMMERLINE_MODELS: join(folder, 'models'),
  ...more,
});

/** In a process of its own, which can be killed. */
function start(args: string[]) {
  const child = spawn('node', ['dist/apps/cli/src/main.js', 'models', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: variables(),
  });
  children.add(child);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  void ended.then(() => children.delete(child));
  const said = Promise.all([ended, text(child.stdout), text(child.stderr)]).then(
    ([status, stdout, stderr]): Said => ({ status, stdout, stderr }),
  );
  return { child, said };
}

/** In this process. */
async function modelsWith(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Said> {
  let stdout = '';
  let stderr = '';
  const spies = [
    vi.spyOn(console, 'log').mockImplementation((line: string) => void (stdout += `${line}\n`)),
    vi.spyOn(console, 'error').mockImplementation((line: string) => void (stderr += `${line}\n`)),
    vi.spyOn(process.stderr, 'write').mockImplementation((said) => {
      stderr += said.toString();
      return true;
    }),
  ];
  try {
    const status = await run(['models', ...args], variables(env));
    return { status, stdout, stderr };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const models = (...args: string[]) => modelsWith({}, ...args);
const store = () => openStore(join(folder, 'models'));
const cdnRanges = (path: string) =>
  hub.asked
    .filter((asked) => asked.host === 'cdn' && asked.path === path)
    .map(({ headers }) => headers.range);
const part = () => join(store().unfinishedPath('Hammer2.1-1.5b'), 'files', `${WEIGHTS}.part`);

/** Starts a pull whose weights stop coming after three quarters, which then are on the disk. */
async function startHeld() {
  hub.faults.set(WEIGHTS, { kind: 'hold', after: (SIZE * 3) / 4 });
  const running = start(['pull', HAMMER, '--accept-licence']);
  await hub.held(WEIGHTS);
  const size = () => statSync(part(), { throwIfNoEntry: false })?.size;
  await expect.poll(size, { timeout: 10_000 }).toBe((SIZE * 3) / 4);
  return running;
}

describe('hammerline models pull', () => {
  it('shows the licence first, and fetches nothing until it is accepted', async () => {
    const { status, stderr, stdout } = await models('pull', HAMMER);
    expect([status, stdout]).toEqual([3, '']);
    expect(stderr).toMatch(/NonCommercial.*no commercial use/);
    expect(stderr).toContain('--accept-licence');
    expect(hub.asked.every(({ path }) => path.startsWith('/api/'))).toBe(true);
    expect(existsSync(join(folder, 'models'))).toBe(false);
  });

  it('makes an entry for vLLM of a repository of safetensors', async () => {
    const { status, stdout, stderr } = await models('pull', HAMMER, '--accept-licence', '--json');
    expect(status).toBe(0);
    expect(stderr).not.toContain('\r');
    const entry = await store().read('Hammer2.1-1.5b');
    expect(JSON.parse(stdout)).toMatchObject({ name: entry.name, used: false, card: entry.card });
    expect(entry).toMatchObject({
      format: 'safetensors',
      weights: join(entry.folder, 'files'),
      source: { kind: 'hub', repository: HAMMER, revision: 'main', commit: hub.commitOf(HAMMER) },
      licence: { id: 'cc-by-nc-4.0', accepted: expect.stringMatching(/^20\d\d-/) as string },
      card: { flavour: 'bfcl-2.1', contextTokens: 16_384, stop: ['<|im_end|>', '<|endoftext|>'] },
    });
    expect(weights.equals(readFileSync(join(entry.weights, WEIGHTS)))).toBe(true);
    const names = readdirSync(entry.weights).toSorted();
    expect(names).toEqual(
      Object.keys({ ...beside, [WEIGHTS]: '' })
        .filter((n) => n !== 'README.md')
        .toSorted(),
    );
    const hammer = join(entry.tritonRepository, 'hammer');
    expect(JSON.parse(readFileSync(join(hammer, '1/model.json'), 'utf8'))).toMatchObject({
      model: entry.weights,
      max_model_len: entry.card.contextTokens,
    });
    const config = readFileSync(join(hammer, 'config.pbtxt'), 'utf8');
    const card: unknown = JSON.parse(/string_value: '(\{.*\})'/.exec(config)?.[1] ?? '');
    expect(ModelCard.parse(card)).toEqual(entry.card);
  });

  it('does not fetch again what is there', async () => {
    await models('pull', HAMMER, '--accept-licence');
    const { length } = hub.asked;
    const again = await models('pull', `${hub.url}/${HAMMER}/tree/v1`, '--accept-licence');
    expect(again).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('already') as string,
    });
    expect(hub.asked.slice(length).every(({ path }) => path.startsWith('/api/'))).toBe(true);
  });

  it('shows the licence of what a model was made of, whatever its own page says', async () => {
    const { status, stderr } = await models('pull', 'someone/tool-caller-GGUF');
    expect(status).toBe(3);
    expect(stderr).toContain('no commercial use');
  });

  it('refuses other settings than those that the entry has', async () => {
    const adapter = join(folder, 'a.gguf');
    await writeFile(adapter, ggufFile({ 'general.type': 'adapter' }));
    const again = ['pull', QUANTISED, '--accept-licence'];
    await expect(models(...again)).resolves.toMatchObject({ status: 0 });
    const { status, stderr } = await models(...again, '--adapter', adapter);
    expect(status).toBe(1);
    expect(stderr).toContain('with other settings');
  });

  it('refuses a context that is too large before it fetches the weights', async () => {
    const args = ['pull', HAMMER, '--accept-licence'];
    const { status, stderr } = await models(...args, '--context', '40000');
    expect(status).toBe(1);
    expect(stderr).toContain('trained for 32768');
    expect(cdnRanges(WEIGHTS)).toEqual([]);
  });

  it.each([
    ['SIGKILL', null, ''],
    ['SIGINT', 130, 'the same command goes on'],
  ] as const)('goes on where %s ended it', async (signal, status, said) => {
    const broken = await startHeld();
    broken.child.kill(signal);
    const { status: ended, stderr } = await broken.said;
    expect(ended).toBe(status);
    expect(stderr).toContain(said);
    await expect(store().list()).resolves.toEqual([]);
    const listed = await models('list');
    expect(listed.stdout).toMatch(/Hammer2.1-1.5b +unfinished/);
    await expect(models('pull', HAMMER, '--accept-licence')).resolves.toMatchObject({ status: 0 });
    expect(cdnRanges(WEIGHTS)).toEqual([undefined, `bytes=${(SIZE * 3) / 4}-`]);
    const entry = await store().read('Hammer2.1-1.5b');
    expect(weights.equals(readFileSync(join(entry.weights, WEIGHTS)))).toBe(true);
    await expect(store().unfinished()).resolves.toEqual([]);
  });

  it('waits for another that pulls the same, and goes on when that one is killed', async () => {
    const first = await startHeld();
    const second = start(['pull', HAMMER, '--accept-licence']);
    let said = '';
    second.child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await expect.poll(() => said, { timeout: 20_000 }).toContain(`process ${first.child.pid}`);
    first.child.kill('SIGKILL');
    await expect(second.said).resolves.toMatchObject({ status: 0 });
    expect(cdnRanges(WEIGHTS)).toEqual([undefined, `bytes=${(SIZE * 3) / 4}-`]);
  });

  it('keeps no file whose hash is wrong', async () => {
    hub.faults.set(WEIGHTS, { kind: 'damaged' });
    const { status, stderr } = await models('pull', HAMMER, '--accept-licence');
    expect(status).toBe(1);
    expect(stderr).toContain('model.safetensors came damaged');
    expect(existsSync(part())).toBe(false);
    await expect(store().list()).resolves.toEqual([]);
    hub.faults.clear();
    await expect(models('pull', HAMMER, '--accept-licence')).resolves.toMatchObject({ status: 0 });
  });

  it('takes of several parts those that the index names', async () => {
    const id = 'MadeAgents/Hammer2.0-3b';
    expect((await models('pull', id)).stderr).toContain('https://example.com/l');
    await expect(models('pull', id, '--accept-licence')).resolves.toMatchObject({ status: 0 });
    const { weights: at } = await store().read('Hammer2.0-3b');
    expect(readdirSync(at)).toContain('model-2.safetensors');
    expect(readdirSync(at)).not.toContain(WEIGHTS);
  });

  it('takes the usual one of several GGUF files, or the one that is named', async () => {
    await models('pull', QUANTISED, '--accept-licence');
    await models('pull', `${QUANTISED}@v1:Q8_0`, '--accept-licence', '--name', 'large');
    const usual = await store().read('Hammer2.1-1.5b.Q4_K_M');
    const large = await store().read('large');
    expect(usual.source).toMatchObject({ file: 'Hammer2.1-1.5b.Q4_K_M.gguf' });
    expect(large).toMatchObject({ format: 'gguf', card: { name: 'Hammer2.1-1.5b.Q8_0' } });
    expect(large.card).toMatchObject({ flavour: 'bfcl-2.1', contextTokens: 8192 });
    const { status, stderr } = await models('pull', `${QUANTISED}:Q2_K`);
    expect(status).toBe(1);
    expect(stderr).toContain('Hammer2.1-1.5b.Q8_0.gguf (0.0 GB)');
  });

  it('takes one plain file by its URL', async () => {
    const url = `${hub.url.replace('127.0.0.1', 'localhost')}/${QUANTISED}/resolve/main/Hammer2.1-1.5b.Q8_0.gguf`;
    const env = { HF_ENDPOINT: 'http://127.0.0.1:1' };
    await expect(modelsWith(env, 'pull', url, '--accept-licence')).resolves.toMatchObject({
      status: 0,
    });
    await expect(store().read('Hammer2.1-1.5b.Q8_0')).resolves.toMatchObject({
      source: { kind: 'url', url },
    });
  });

  it('opens a gated model with a token, which no other host sees', async () => {
    const locked = 'locked/Hammer2.0-7b';
    const refused = await models('pull', locked);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(`accept its terms on ${hub.url}/${locked}`);
    await expect(modelsWith({ HF_TOKEN: 'secret' }, 'pull', locked)).resolves.toMatchObject({
      status: 0,
    });
    const cdn = hub.asked.filter(({ host }) => host === 'cdn');
    expect(cdn.length).toBeGreaterThan(0);
    expect(cdn.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  it.each([
    ['evil/paths', 'could leave its folder'],
    ['evil/index', 'could leave its folder'],
    [`${HAMMER}@v9`, 'no such revision'],
  ])('refuses %s', async (reference, said) => {
    const { status, stderr } = await models('pull', reference, '--accept-licence');
    expect(status).toBe(1);
    expect(stderr).toContain(said);
    const all = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    expect(all.filter((path) => path.includes('evil'))).toEqual([]);
    await expect(store().list()).resolves.toEqual([]);
  });
});

describe('hammerline models add, list, show, use, remove', () => {
  it('keep a local model with its adapter', async () => {
    const file = join(folder, 'Hammer2.1-0.5b.gguf');
    await writeFile(file, hammerGguf('h', 1_000));
    await writeFile(join(folder, 'a.gguf'), ggufFile({ 'general.type': 'adapter' }));
    const choices = [
      '--context',
      '2048',
      '--max-calls',
      '2',
      '--threshold',
      '0.7',
      '--no-mask-trained',
    ];
    const adapter = join(folder, 'a.gguf');
    const added = await models(
      'add',
      file,
      '--name',
      'mine',
      ...choices,
      '--adapter',
      adapter,
      '--stop',
      '\n',
    );
    expect(added).toMatchObject({ status: 0, stderr: '' });

    const before = JSON.parse((await models('show', '--used', '--json')).stdout) as unknown;
    expect(before).toBeNull();
    await expect(models('use', 'mine')).resolves.toMatchObject({ status: 0 });
    const used = JSON.parse((await models('show', '--used', '--json')).stdout) as object;
    expect(used).toMatchObject({
      name: 'mine',
      used: true,
      format: 'gguf',
      folder: join(folder, 'models/mine'),
      weights: file,
      adapter,
      tritonRepository: join(folder, 'models/mine/triton'),
      card: {
        contextTokens: 2048,
        maxCalls: 2,
        confidenceThreshold: 0.7,
        maskTrained: false,
        stop: ['\n'],
      },
    });

    const listed = await models('list');
    expect(listed.stdout).toMatch(/^\* +mine +gguf .* bfcl-2.1 +2048 /m);
    const { models: all } = JSON.parse((await models('list', '--json')).stdout) as {
      models: object[];
    };
    expect(all).toEqual([used]);

    const refused = await models('remove', 'mine');
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('--force') as string,
    });
    await expect(models('use', 'default')).resolves.toMatchObject({ status: 0 });
    await expect(models('remove', 'mine')).resolves.toMatchObject({ status: 0 });
    expect(existsSync(file)).toBe(true);
    expect((await models('list')).stdout).not.toContain('mine');
  });

  it('say that a model is asked as no Hammer model, and that the used one is gone', async () => {
    const file = join(folder, 'model.gguf');
    await writeFile(file, ggufFile({}));
    const { stderr } = await models('add', file, '--name', 'mine');
    expect(stderr).toMatch(/mine is no Hammer model .*--flavour/s);
    await expect(models('add', file, '--name', 'told', '--flavour', 'compact')).resolves.toEqual({
      status: 0,
      stdout: expect.stringContaining('told is there') as string,
      stderr: '',
    });
    await models('use', 'mine');
    await rm(join(folder, 'models/mine'), { recursive: true });
    const listed = await models('list');
    expect(listed.stdout).toMatch(/^\* +mine +gone$/m);
    expect(listed.stderr).toContain('mine is used, and gone');
  });

  it('npm start takes the used model, with the program of this checkout', async () => {
    const file = join(folder, 'Hammer2.1-0.5b.gguf');
    await writeFile(file, hammerGguf('h'));
    await models('add', file, '--name', 'mine');
    await models('use', 'mine');
    const repository = join(folder, 'models/mine/triton');
    await rm(join(repository, 'hammer/1/model.py'));
    const env = { HAMMERLINE_MODELS: join(folder, 'models') };
    expect(chooseModel('triton', env)).toMatchObject({ repository, weights: false });
    expect(existsSync(join(repository, 'hammer/1/model.py'))).toBe(true);
    await rename(join(folder, 'models/mine'), join(folder, 'models/other'));
    expect(() => chooseModel('embedded', env)).toThrow(/the used model mine .*models use/);
  });

  it('say what is wrong with the folder of the store', async () => {
    const file = join(folder, 'Hammer2.1-0.5b.gguf');
    await writeFile(file, hammerGguf('h'));
    const env = { HAMMERLINE_MODELS: join(file, 'models') };
    const { status, stderr } = await modelsWith(env, 'add', file);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^hammerline: ENOTDIR.*HAMMERLINE_MODELS.*\n$/);
  });

  const stops = Array.from({ length: 9 }, (_, at) => ['--stop', String(at)]).flat();
  it.each([
    [['use', 'none'], 1, 'there is no model none'],
    [['use'], 2, 'missing required argument'],
    [['use', ''], 2, 'must not be empty'],
    [['show'], 2, 'name one model'],
    [['show', 'none'], 1, 'models pull'],
    [['add', 'README.md'], 1, 'is no GGUF model'],
    [['add', 'README.md', '--context', 'many'], 2, 'whole number'],
    [['add', 'README.md', '--threshold', '2'], 2, 'from 0 to 1'],
    [['add', 'README.md', '--stop', ''], 2, 'must not be empty'],
    [['add', 'README.md', ...stops], 2, 'at most 8'],
    [['add', 'README.md', '--adapter', '../x=/a.gguf'], 2, 'NAME=PATH'],
    [['pull', 'a/b', '--accept-license'], 2, '--accept-licence'],
    [['fly'], 2, 'unknown command'],
  ])('%j is refused', async (args, status, said) => {
    const result = await models(...args);
    expect(result).toMatchObject({ status, stdout: '' });
    expect(result.stderr).toContain(said);
  });
});
