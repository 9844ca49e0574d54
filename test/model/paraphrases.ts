import { readFile } from 'node:fs/promises';
import type { ResolvedCall, ToolDefinition } from '#libs/contracts';
import { compileToolset } from '#libs/turn';
import type { Model } from '../../apps/worker/src/models/model.js';
import { resolveTurn } from '../../apps/worker/src/resolve-turn.js';

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
export async function* judgeParaphrases(model: Model): AsyncGenerator<Verdict> {
  const toolset = compileToolset(await officeTools(), model.card);
  const cases = (await readJson('../office/paraphrases.json')) as {
    query: string;
    accept: Accepted;
  }[];
  for (const { query, accept } of cases) {
    const messages = [{ role: 'user' as const, content: query }];
    const signal = new AbortController().signal;
    const question = { toolset, messages, until: 'calls', hasCalled: false, signal } as const;
    const verdict = await resolveTurn(model, question).then(
      ({ answer, confidence }) => {
        const calls = answer.outcome === 'calls' ? answer.calls : [];
        const right = answer.outcome !== 'needs_input' && isAccepted(calls, accept);
        return { right, confidence, answer: JSON.stringify(calls) };
      },
      // What a worker refuses is a wrong answer too.
      (error: unknown) => ({ right: false, confidence: 0, answer: String(error) }),
    );
    yield { query, ...verdict };
  }
}

/** The function is right and every argument is an accepted value; a refusal is right where one is accepted. */
function isAccepted(calls: readonly ResolvedCall[], accept: Accepted): boolean {
  const [call, ...more] = calls;
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
