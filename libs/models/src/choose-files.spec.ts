import { describe, expect, it } from 'vitest';
import { chooseGguf, chooseSafetensors, formatOf, readWeightsIndex } from './choose-files.js';

function repository(...paths: string[]) {
  return { repository: 'a/b', files: paths.map((path) => ({ path, bytes: 1e9 })) };
}
const served = ['config.json', 'tokenizer.json', 'model.safetensors'];
const quantised = repository('h.Q2_K.gguf', 'h.Q4_K_M.gguf', 'h-i1-IQ4_XS.gguf', 'mmproj.gguf');
const pathsOf = (files: readonly { path: string }[]) => files.map(({ path }) => path);

describe('formatOf', () => {
  it('prefers safetensors, unless a file is named', () => {
    expect(formatOf(repository(...served, 'h.gguf'), undefined)).toBe('safetensors');
    expect(formatOf(repository(...served, 'h.gguf'), 'h.gguf')).toBe('gguf');
    expect(formatOf(quantised, undefined)).toBe('gguf');
  });

  it.each([
    ['README.md', 'neither safetensors nor GGUF'],
    ['pytorch_model.bin', 'run code'],
    ['adapter_config.json', '--adapter'],
  ])('refuses a repository of %s', (file, said) => {
    expect(() => formatOf(repository(file), undefined)).toThrow(said);
  });
});

describe('chooseGguf', () => {
  it.each([
    [undefined, 'h.Q4_K_M.gguf'],
    ['q2_k', 'h.Q2_K.gguf'],
    ['IQ4_XS', 'h-i1-IQ4_XS.gguf'],
    ['h.Q2_K.gguf', 'h.Q2_K.gguf'],
  ])('takes for %s the file %s', (wanted, path) => {
    expect(chooseGguf(quantised, wanted).path).toBe(path);
  });

  it('takes the only one there is', () => {
    expect(chooseGguf(repository('README.md', 'odd.gguf'), undefined).path).toBe('odd.gguf');
  });

  it.each<[string, ReturnType<typeof repository>, string | undefined, string]>([
    ['no such one', quantised, 'Q8_0', 'h.Q2_K.gguf (1.0 GB)'],
    ['no choice', repository('a.Q2_K.gguf', 'b.Q3_K.gguf'), undefined, 'several GGUF files'],
    ['two of a kind', repository('a.Q4_K_M.gguf', 'b.Q4_K_M.gguf'), 'Q4_K_M', 'no one GGUF'],
    ['another file', repository('config.json', 'h.gguf'), 'config.json', 'is no GGUF file'],
    ['parts', repository('h-00001-of-00002.gguf'), 'h-00001-of-00002.gguf', 'merge them'],
  ])('refuses %s', (_, model, wanted, said) => {
    expect(() => chooseGguf(model, wanted)).toThrow(said);
  });
});

describe('chooseSafetensors', () => {
  it('takes what a server reads, and nothing else', () => {
    const model = repository('README.md', 'figure.png', 'vocab.json', 'merges.txt', ...served);
    expect(pathsOf(chooseSafetensors(model, undefined)).toSorted()).toEqual(
      [...served, 'vocab.json', 'merges.txt'].toSorted(),
    );
  });

  it('takes the weights that the index names, not the stray ones beside them', () => {
    const model = repository(...served, 'model.safetensors.index.json', 'part-1.safetensors');
    const paths = pathsOf(chooseSafetensors(model, ['part-1.safetensors']));
    expect(paths).toContain('part-1.safetensors');
    expect(paths).toContain('model.safetensors.index.json');
    expect(paths).not.toContain('model.safetensors');
  });

  it('refuses a repository that lacks something, and names it', () => {
    const lacks = () =>
      chooseSafetensors(repository('model.safetensors.index.json'), ['1.safetensors']);
    expect(lacks).toThrow('lacks config.json, 1.safetensors, tokenizer.json');
  });
});

describe('readWeightsIndex', () => {
  it('names each file once', () => {
    const index = { weight_map: { a: '1.safetensors', b: '2.safetensors', c: '1.safetensors' } };
    const shards = readWeightsIndex('a/b', JSON.stringify(index));
    expect(shards).toEqual(['1.safetensors', '2.safetensors']);
  });

  it.each(['{', '{}', '{"weight_map": {"a": 1}}', '{"weight_map": {"a": "../../x.safetensors"}}'])(
    'refuses %s',
    (text) => {
      expect(() => readWeightsIndex('a/b', text)).toThrow('a/b');
    },
  );
});
