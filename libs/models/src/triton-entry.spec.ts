import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelCard } from './model-card.js';
import { readCard } from './read-card.js';
import { renewCpuModel, type TritonModel, writeTritonEntry } from './triton-entry.js';

const REPOSITORY = 'triton/model_repository';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'triton-entry-'));
});
afterEach(() => rm(folder, { recursive: true }));

const read = (path: string) => readFile(join(folder, 'hammer', path), 'utf8');

/** As a config.pbtxt quotes it. */
function cardIn(config: string): ModelCard {
  const [, quoted = ''] = /key: "hammerline_card"[^']*'((?:[^'\\]|\\.)*)'/.exec(config) ?? [];
  return ModelCard.parse(JSON.parse(quoted.replaceAll(/\\(.)/g, '$1')));
}

const traits = { contextTokens: 32_768, endTokens: ['<|im_end|>', '<|endoftext|>'] };
const hammer: TritonModel = {
  card: readCard({ name: 'Hammer2.1-1.5b', format: 'safetensors', ...traits }),
  format: 'safetensors',
  weights: '/models/Hammer2.1-1.5b/files',
  weightsBytes: 3.09e9,
  loras: {},
  loraRanks: [],
};

describe('of safetensors', () => {
  // Write it anew with `npx vitest run --project unit -u libs/models/src/triton-entry.spec.ts`.
  it('is what the checkout has for a store that the server sees as /models', async () => {
    await writeTritonEntry(folder, hammer);
    const checkout = `../../../${REPOSITORY}/gpu/hammer`;
    await expect(await read('config.pbtxt')).toMatchFileSnapshot(`${checkout}/config.pbtxt`);
    await expect(await read('1/model.json')).toMatchFileSnapshot(`${checkout}/1/model.json`);
    const files = (of: string) => readdirSync(of, { recursive: true, encoding: 'utf8' }).toSorted();
    expect(files(join(folder, 'hammer'))).toEqual(files(`${REPOSITORY}/gpu/hammer`));
  });

  it('names adapters, and does not speculate then', async () => {
    const loras = { office: '/adapters/office', sales: '/adapters/sales' };
    await writeTritonEntry(folder, { ...hammer, loras, loraRanks: [16, 24] });
    expect(JSON.parse(await read('1/multi_lora.json'))).toEqual(loras);
    const settings = JSON.parse(await read('1/model.json')) as object;
    expect(settings).toMatchObject({ enable_lora: true, max_loras: 2, max_lora_rank: 32 });
    expect(settings).not.toHaveProperty('speculative_config');
  });

  it('holds a card with any text', async () => {
    const card = { ...hammer.card, stop: [`'`, '\\', '"', '\n', '$&', '<|im_end|>'] };
    await writeTritonEntry(folder, { ...hammer, card });
    expect(cardIn(await read('config.pbtxt'))).toEqual(card);
  });
});

describe('of a GGUF', () => {
  const gguf: TritonModel = {
    ...hammer,
    format: 'gguf',
    weights: '/models/h/files/h.gguf',
    adapter: '/adapters/a.gguf',
    loras: { office: '/adapters/office.gguf' },
  };

  it('is the CPU model of the checkout with another card and other weights', async () => {
    const card = { ...gguf.card, stop: [`it's`, '$1', '<|im_end|>'] };
    await writeTritonEntry(folder, { ...gguf, card });
    const config = await read('config.pbtxt');
    const own = readFileSync(`${REPOSITORY}/cpu/hammer/config.pbtxt`, 'utf8');
    expect(cardIn(config)).toEqual(card);
    const rest = (text: string) => text.replace(/string_value: '\{.*\}'/, '');
    expect(rest(config)).toBe(rest(own));
    expect(JSON.parse(await read('1/model.json'))).toMatchObject({
      model: gguf.weights,
      adapter: gguf.adapter,
      context: 16_384,
    });
    expect(JSON.parse(await read('1/multi_lora.json'))).toEqual(gguf.loras);
  });

  it('links to the program of the checkout, and follows it when it changes', async () => {
    await writeTritonEntry(folder, gguf);
    const whole = await read('config.pbtxt');
    // As an older checkout at another place left it.
    await writeFile(join(folder, 'hammer/config.pbtxt'), 'name: "hammer"');
    await rm(join(folder, 'hammer/1/model.py'));
    await symlink('/gone/gone.py', join(folder, 'hammer/1/gone.py'));
    const settings = '{"threads": 7}';
    await writeFile(join(folder, 'hammer/1/model.json'), settings);
    await renewCpuModel(folder, gguf.card);
    expect(await read('config.pbtxt')).toBe(whole);
    expect(await read('1/model.json')).toBe(settings);
    expect(readdirSync(join(folder, 'hammer/1'))).not.toContain('gone.py');
    const own = readdirSync(`${REPOSITORY}/cpu/hammer`, { recursive: true, encoding: 'utf8' });
    const program = own.filter((file) => /\.py$|^requirements/.test(file));
    expect(program).toContain('1/model.py');
    for (const file of program) {
      const link = join(folder, 'hammer', file);
      expect(lstatSync(link).isSymbolicLink() && existsSync(link)).toBe(true);
    }
  });
});
