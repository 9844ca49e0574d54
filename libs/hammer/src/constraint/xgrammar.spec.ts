import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type * as XGrammar from '@mlc-ai/web-xgrammar';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ToolDefinition } from '#libs/contracts';
import { readTools } from '#libs/tools';
import { fuzzRuns } from '../../../../test/support/fuzz.js';
import { GbnfAcceptor } from '../../../../test/support/gbnf-acceptor.js';
import { GbnfSampler } from '../../../../test/support/gbnf-sampler.js';
import { labelledPrompts } from '../../../../test/support/labelled-prompts.js';
import { parameters, wildParameters } from '../../../../test/support/schema-arbitrary.js';
import { seededRandom } from '../../../../test/support/seeded-random.js';
import { compileConstraint, type ConstraintOptions } from './compile-constraint.js';

/** Answers of each grammar that are tried, each also with two mistakes put in. */
const perGrammar = 10;
const numRuns = Math.ceil(fuzzRuns() / perGrammar);

/** The engine that holds vLLM's models to a grammar, as it is compiled for browsers. */
function loadXGrammar(): typeof XGrammar {
  const require = createRequire(import.meta.url);
  const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-xgrammar-'));
  // The package is named an ES module, but is a CommonJS one.
  const file = path.join(folder, 'xgrammar.cjs');
  copyFileSync(require.resolve('@mlc-ai/web-xgrammar'), file);
  const loaded = require(file) as typeof XGrammar;
  rmSync(folder, { recursive: true });
  return loaded;
}

const xgrammar = loadXGrammar();

/** All bytes, and texts that go across the parts of the grammar, or of a character. */
const texts = [
  '```\n \n``` [{"name":_" ",_"arguments":_{ "}} }},_{"name":_" }}]',
  '":_ ":_" ":_[ ",_" ,_" true .0 \\u \\ud é 😀',
]
  .flatMap((line) => line.split(' '))
  .map((text) => Buffer.from(text.replaceAll('_', ' ')));
const endOfTurn = 256 + texts.length;
const compiler = await xgrammar.GrammarCompiler.createGrammarCompiler(await tokenizer(), false);

/** Names bytes as the vocabularies of GPT-2 and Qwen do. */
function tokenizer(): Promise<XGrammar.TokenizerInfo> {
  let moved = 0;
  const bytes = Array.from({ length: 256 }, (_, byte) => {
    const isPrinted = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCharCode(isPrinted ? byte : 256 + moved++);
  });
  const vocabulary = [
    ...bytes,
    ...texts.map((text) => Array.from(text, (byte) => bytes[byte]).join('')),
    '<|im_end|>',
  ];
  const size = vocabulary.length;
  return xgrammar.TokenizerInfo.createTokenizerInfo(vocabulary, 'byte_level', false, size, [
    endOfTurn,
  ]);
}

/** The longest tokens first. */
function tokensOf(text: string): number[] {
  const bytes = Buffer.from(text);
  const tokens: number[] = [];
  for (let at = 0; at < bytes.length;) {
    let [token, length] = [bytes[at] ?? 0, 1];
    for (const [index, each] of texts.entries()) {
      const fits = each.equals(bytes.subarray(at, at + each.length));
      if (fits && each.length > length) [token, length] = [256 + index, each.length];
    }
    tokens.push(token);
    at += length;
  }
  return tokens;
}

/** Which answers XGrammar lets a model give, token by token up to its end of turn. */
async function allowed(grammar: string, answers: readonly string[]): Promise<boolean[]> {
  const compiled = await compiler.compileGrammar(grammar);
  const matcher = await xgrammar.GrammarMatcher.createGrammarMatcher(compiled);
  const found = answers.map((answer) => {
    matcher.reset();
    return [...tokensOf(answer), endOfTurn].every((token) => matcher.acceptToken(token));
  });
  matcher.dispose();
  compiled.dispose();
  return found;
}

const mistakes = [...'"\\ ,:0-9e.{}[]u1dDé😀\n\0\u001f\u007f`'];

/** A character too few, too many or in place of another, or an end too early. */
function spoil(answer: string, random: () => number): string {
  const characters = [...answer];
  const at = Math.floor(random() * characters.length);
  const mistake = mistakes[Math.floor(random() * mistakes.length)] ?? '';
  const [removed, added] = [
    [1, []],
    [0, [mistake]],
    [1, [mistake]],
    [Infinity, []],
  ][Math.floor(random() * 4)] as [number, string[]];
  return characters.toSpliced(at, removed, ...added).join('');
}

/** How many of the answers that were tried are in the grammar and out of it, by both: else it fails. */
async function compare(
  tools: readonly ToolDefinition[],
  options: ConstraintOptions,
  seed: number,
  more: readonly string[] = [],
): Promise<{ inside: number; outside: number }> {
  const { grammar } = compileConstraint(tools, options);
  const sampler = new GbnfSampler(grammar);
  const random = seededRandom(seed);
  const drawn = Array.from({ length: perGrammar }, (_, index) => sampler.draw(seed + index));
  const right = [...more, ...drawn];
  const answers = right.flatMap((each) => [each, spoil(each, random), spoil(each, random)]);
  const acceptor = new GbnfAcceptor(grammar);
  const ours = answers.map((answer) => acceptor.accepts(answer));
  const theirs = await allowed(grammar, answers);
  expect(answers.filter((_, at) => ours[at] !== theirs[at])).toEqual([]);
  const inside = ours.filter(Boolean).length;
  return { inside, outside: ours.length - inside };
}

it.each([
  ['of the subset', parameters, 7],
  ['whatever the keywords', wildParameters, 8],
])(
  'XGrammar reads the grammars of random tools as llama.cpp does: %s',
  async (_, schemas, seed) => {
    const sums = { inside: 0, outside: 0 };
    const property = fc.asyncProperty(
      schemas,
      fc.nat(),
      fc.record({ fence: fc.boolean(), maxCalls: fc.constantFrom(1, 2, Infinity) }),
      async (schema, drawSeed, options) => {
        const tools = [{ name: 'tööl', description: '', parameters: schema }];
        const { inside, outside } = await compare(tools, options, drawSeed);
        sums.inside += inside;
        sums.outside += outside;
      },
    );
    await fc.assert(property, { numRuns, seed });
    expect(sums.inside).toBeGreaterThanOrEqual(numRuns * perGrammar);
    expect(sums.outside).toBeGreaterThan(numRuns * perGrammar);
  },
);

it('XGrammar allows the labels that the models were trained on exactly where the grammar has them', async () => {
  for (const [index, { label, tools }] of labelledPrompts().entries()) {
    const { inside } = await compare(tools, {}, index, [label]);
    expect(inside).toBeGreaterThanOrEqual(perGrammar);
  }
});

it('XGrammar reads the grammars of the tools of a benchmark', async () => {
  const file = path.resolve(
    import.meta.dirname,
    '../../../../test/data/bfcl/BFCL_v4_multiple.json',
  );
  const entries = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => readTools((JSON.parse(line) as { function: unknown[] }).function));
  const byName = new Map(entries.flat().map((tool) => [tool.name, tool]));
  for (const [index, tools] of [...entries, [...byName.values()]].entries()) {
    const { inside } = await compare(tools, { toolChoice: 'required' }, index);
    expect(inside).toBeGreaterThanOrEqual(perGrammar);
  }
});
