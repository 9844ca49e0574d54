import { readFile } from 'node:fs/promises';
import type { ToolDefinition } from '#libs/contracts';
import { compileGrammar, decisionConfidence, parseCalls, renderPrompt } from '#libs/hammer';
import type { Model } from '../../apps/worker/src/models/model.js';

type Accepted = 'irrelevant' | Record<string, Record<string, unknown[]>>;

export interface Verdict {
  readonly query: string;
  readonly right: boolean;
  readonly confidence: number;
  readonly answer: string;
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(path, import.meta.url), 'utf8'));
}

export async function officeTools(): Promise<ToolDefinition[]> {
  const { tools } = (await readJson('../../examples/office/toolset.json')) as {
    tools: ToolDefinition[];
  };
  return tools;
}

/** Asks the model for each paraphrase of the office scene, as a worker's turn does, and judges the answers. */
export async function judgeParaphrases(model: Model): Promise<Verdict[]> {
  const tools = await officeTools();
  const cases = (await readJson('../office/paraphrases.json')) as {
    query: string;
    accept: Accepted;
  }[];
  const grammar = compileGrammar(tools, { maxCalls: 4 });
  const verdicts: Verdict[] = [];
  for (const { query, accept } of cases) {
    const { text, tokens } = await model.generate({
      prompt: renderPrompt(tools, [{ role: 'user', content: query }]),
      grammar,
      maxTokens: 96,
      signal: new AbortController().signal,
    });
    const right = isAccepted(text, accept);
    verdicts.push({ query, right, confidence: decisionConfidence(tokens), answer: text });
  }
  return verdicts;
}

/** The function is right and every argument is an accepted value; a refusal is right where one is accepted. */
function isAccepted(text: string, accept: Accepted): boolean {
  const result = parseCalls(text);
  if (!result.ok) return false;
  const [call, ...more] = result.calls;
  if (accept === 'irrelevant') return call === undefined;
  if (call === undefined || more.length > 0) return false;
  const accepted = accept[call.name];
  if (accepted === undefined) return false;
  return (
    Object.keys(call.arguments).length === Object.keys(accepted).length &&
    Object.entries(accepted).every(([key, values]) =>
      values.map(normalise).includes(normalise(call.arguments[key])),
    )
  );
}

/** As the BFCL checker compares strings: without case, blanks and some punctuation. */
function normalise(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return value
    .replaceAll(/[ ,./\-_*^]/g, '')
    .toLowerCase()
    .replaceAll("'", '"');
}
