import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Message, ToolDefinition } from '#libs/contracts';
import { type BfclEntry, judgeAnswer, readBfcl } from '#libs/evals';
import { dumps, loads, PyFloat, type PyValue } from '#libs/pyjson';
import { MASK_STYLES, type MaskStyle, Random } from '#libs/masking';
import { readTools } from '#libs/tools';
import { compileToolset } from '#libs/turn';
import { adapterPath, defaultModel } from '../apps/worker/src/models/default-model.js';
import { loadEmbeddedModel } from '../apps/worker/src/models/embedded.js';
import type { Model } from '../apps/worker/src/models/model.js';
import { artifactPath, MODEL } from '../scripts/artifacts.mjs';
import type { Bench, BenchOptions, Row } from './harness.js';

const categories = ['simple_python', 'multiple', 'parallel', 'parallel_multiple', 'irrelevance'];
const seed = 60;
const maxAnswerTokens = 512;

/** How names are shown, and whether a grammar holds the answer to its form. */
interface Condition {
  readonly names: 'real' | MaskStyle;
  readonly decoding: 'constrained' | 'free';
}
const conditions: readonly Condition[] = (['real', ...MASK_STYLES] as const).flatMap((names) => [
  { names, decoding: 'constrained' as const },
  // The cheaper style only as the product asks.
  ...(names === 'short' ? [] : [{ names, decoding: 'free' as const }]),
]);

interface Case {
  readonly category: string;
  readonly entry: BfclEntry;
}

/**
 * Asks the model in the box BFCL cases in every condition. An answer is right if BFCL's AST checker says so, a refusal
 * if there is no call. The range of a row is the 95 % Wilson interval.
 */
export const hammerModel: Bench = {
  name: 'hammer-model',
  about:
    'the model in the box on BFCL cases: masked and unmasked, constrained and free (about an hour)',
  run: async ({ smoke }: BenchOptions) => {
    const samples = categories.map((category) => sample(category, smoke ? 1 : 60));
    const right = new Map<string, number[]>();
    const model = await loadEmbeddedModel({
      card: defaultModel.card,
      weights: artifactPath(MODEL),
      adapter: adapterPath(),
    });
    for (const asked of smoke ? samples.flat().slice(0, 1) : samples.flat()) {
      const verdicts: string[] = [];
      for (const condition of conditions) {
        const isRight = await ask(model, asked, condition);
        const name = rowName(asked.category, condition);
        right.set(name, [...(right.get(name) ?? []), isRight ? 1 : 0]);
        verdicts.push(isRight ? 'right' : 'wrong');
      }
      if (!smoke) console.error(`${asked.entry.id}: ${verdicts.join(', ')}`);
    }
    await model.close();
    return [...right].map(([name, outcomes]) => percent(name, outcomes));
  },
};

async function ask(
  model: Model,
  { category, entry }: Case,
  condition: Condition,
): Promise<boolean> {
  const { names, decoding } = condition;
  const toolset = compileToolset(toolsOf(entry), {
    flavour: model.card.flavour,
    // Its card allows one call. Where several are right it may give them here.
    maxCalls: category.startsWith('parallel') ? 8 : model.card.maxCalls,
    mask: names === 'real' ? undefined : { key: `bench/${entry.id}`, style: names },
  });
  const { text, finishReason } = await model.generate({
    prompt: toolset.prompt(entry.question as Message[]),
    constraint: decoding === 'free' ? undefined : toolset.constraint,
    maxTokens: maxAnswerTokens,
    signal: new AbortController().signal,
  });
  // As the worker does: what did not end is not read.
  const answer = finishReason === 'length' ? undefined : toolset.read(text);
  const calls = answer?.outcome === 'calls' ? answer.calls : [];
  // As Python would read them: the checker tells 5 from 5.0.
  const written =
    answer?.outcome === 'calls' && answer.parser === 'strict' ? loads(unfence(text)) : undefined;
  const judged = calls.map((call, index) => ({
    name: call.name,
    arguments: withFloats(call.arguments, written && at(at(written, index), 'arguments')),
  }));
  return judgeAnswer(entry, category, judged).valid;
}

function unfence(text: string): string {
  return text.replace(/^\s*```(?:json)?/, '').replace(/```\s*$/, '');
}

function at(value: PyValue | undefined, key: string | number): PyValue | undefined {
  if (Array.isArray(value)) return value[Number(key)];
  return value instanceof Map ? value.get(String(key)) : undefined;
}

/** A value of JavaScript's, its numbers floats where the text that it was read from has floats. */
function withFloats(value: unknown, written: PyValue | undefined): PyValue {
  if (typeof value === 'number') return written instanceof PyFloat ? written : loads(dumps(value));
  if (Array.isArray(value))
    return value.map((member, index) => withFloats(member, at(written, index)));
  if (!isObject(value)) return value as PyValue;
  // Masked keys stand in the text, in the same order.
  const members = written instanceof Map ? [...written.values()] : [];
  return new Map(
    Object.entries(value).map(([key, member], index) => [key, withFloats(member, members[index])]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function toolsOf(entry: BfclEntry): ToolDefinition[] {
  return readTools(entry.functions.map((definition) => JSON.parse(dumps(definition)) as unknown));
}

function sample(category: string, count: number): Case[] {
  const folder = path.resolve(import.meta.dirname, '../test/data/bfcl');
  const file = `BFCL_v4_${category}.json`;
  const answers =
    category === 'irrelevance'
      ? undefined
      : readFileSync(path.join(folder, 'possible_answer', file), 'utf8');
  const entries = readBfcl(readFileSync(path.join(folder, file), 'utf8'), answers);
  return new Random(seed)
    .shuffle(entries)
    .slice(0, count)
    .map((entry) => ({ category, entry }));
}

function rowName(category: string, { names, decoding }: Condition): string {
  return `${category} · ${names === 'real' ? 'real names' : `masked (${names})`} · ${decoding}`;
}

/** With the 95 % Wilson interval. */
function percent(name: string, outcomes: readonly number[]): Row {
  const n = outcomes.length;
  const p = outcomes.reduce((sum, outcome) => sum + outcome, 0) / n;
  const z = 1.96;
  const middle = (p + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2));
  return {
    name,
    unit: '%',
    value: 100 * p,
    range: [100 * Math.max(0, middle - half), 100 * (middle + half)],
  };
}
