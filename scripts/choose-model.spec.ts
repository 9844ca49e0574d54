import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseModel } from './choose-model.mjs';

let store: string;

beforeEach(() => {
  store = mkdtempSync(path.join(tmpdir(), 'hammerline-models-'));
  used = null;
  asked = [];
});

afterEach(() => {
  rmSync(store, { recursive: true });
});

/** What the command line tool answers. */
let used: object | null;
let asked: string[][];

/** What `hammerline models use NAME` leaves. */
function use(name: string, format: string): string {
  const folder = path.join(store, name);
  writeFileSync(path.join(store, 'default'), `${name}\n`);
  used = { name, folder, format, tritonRepository: path.join(folder, 'triton') };
  return folder;
}

const choose = (runtime: 'embedded' | 'triton' | 'openai', env: NodeJS.ProcessEnv = {}) =>
  chooseModel(runtime, { HAMMERLINE_MODELS: store, ...env }, (_, args) => {
    asked.push(args);
    return used;
  });

describe('embedded', () => {
  it('is the default model, whose weights are needed', () => {
    expect(choose('embedded')).toEqual({
      text: 'the small default model, embedded',
      env: { RUNTIME: 'embedded' },
      weights: true,
    });
    expect(asked).toEqual([]);
  });

  it('is the default model where the file that names another is empty', () => {
    writeFileSync(path.join(store, 'default'), '');
    expect(choose('embedded')).toMatchObject({ weights: true });
  });

  it('is the model that was chosen', () => {
    const folder = use('tiny', 'gguf');
    expect(choose('embedded')).toEqual({
      text: 'tiny, embedded',
      env: { RUNTIME: 'embedded', MODEL: folder },
      weights: false,
    });
  });

  it('is MODEL before the one that was chosen', () => {
    use('tiny', 'gguf');
    const MODEL = path.join(store, 'default');
    expect(choose('embedded', { MODEL })).toMatchObject({
      text: `${MODEL}, embedded`,
      weights: false,
    });
  });

  it('refuses a MODEL that is not there', () => {
    expect(() => choose('embedded', { MODEL: '/none.gguf' })).toThrow(
      /^MODEL names no file: \/none\.gguf$/,
    );
  });
});

describe('triton', () => {
  it('is started here with the default model', () => {
    const { repository, ...choice } = choose('triton');
    expect(repository).toMatch(/triton\/model_repository\/cpu$/);
    expect(choice).toEqual({
      text: 'the small default model, on a Triton of this machine',
      env: { RUNTIME: 'triton' },
      weights: true,
    });
  });

  it('is started here with the model that was chosen', () => {
    const folder = use('tiny', 'gguf');
    expect(choose('triton')).toMatchObject({
      repository: path.join(folder, 'triton'),
      weights: false,
    });
    // Which links it to the program of this checkout.
    expect(asked).toContainEqual(['use', 'tiny', '--json']);
  });

  it('is the one at TRITON_URL, which needs nothing here, whatever was chosen', () => {
    use('big', 'safetensors');
    expect(choose('triton', { TRITON_URL: 'grpc://gpu:8001' })).toEqual({
      text: 'hammer on Triton at grpc://gpu:8001',
      env: { RUNTIME: 'triton' },
      weights: false,
    });
  });

  it('refuses a chosen model that takes a GPU', () => {
    use('big', 'safetensors');
    expect(() => choose('triton')).toThrow(/^the model big .*GPU.*TRITON_URL/);
  });

  it('refuses MODEL without TRITON_URL', () => {
    expect(() => choose('triton', { MODEL: '/x.gguf' })).toThrow(
      /^MODEL .*TRITON_URL.*unset MODEL/,
    );
  });
});

describe('openai', () => {
  it('needs nothing here', () => {
    const env = { OPENAI_BASE_URL: 'http://127.0.0.1:8080/v1', MODEL: 'hammer' };
    expect(choose('openai', env)).toEqual({
      text: 'hammer at http://127.0.0.1:8080/v1',
      env: { RUNTIME: 'openai' },
      weights: false,
    });
  });

  it.each([
    [{}, /needs OPENAI_BASE_URL/],
    [{ OPENAI_BASE_URL: 'http://127.0.0.1:8080/v1' }, /needs MODEL/],
  ])('refuses %j', (env, message) => {
    expect(() => choose('openai', env)).toThrow(message);
  });
});
