import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ResolvedCall, ToolDefinition } from '#libs/contracts';
import { compileValidators, readTools } from '#libs/tools';

export interface LabelledPrompt {
  id: string;
  /** The fenced answer that a model is trained on, or measured by. */
  label: string;
  /** Without arguments that a schema does not name: data sets do not say so, but mean it. */
  tools: ToolDefinition[];
  /** What its own tools say of the calls in it. */
  verdict: 'valid' | 'invalid' | 'unknownTool';
}

/** The labels of the golden vectors. */
export function labelledPrompts(): LabelledPrompt[] {
  const file = path.resolve(import.meta.dirname, '../vectors/prompts.jsonl');
  const prompts = readFileSync(file, 'utf8').trim().split('\n').map(read);
  return prompts.filter((prompt) => prompt !== undefined);
}

function read(line: string): LabelledPrompt | undefined {
  const { id, label, input } = JSON.parse(line) as {
    id: string;
    label?: string;
    input: { tools?: unknown[]; tools_text?: string };
  };
  if (label === undefined) return undefined;
  const given = input.tools ?? (JSON.parse(input.tools_text ?? '') as unknown[]);
  const tools = readTools(given).map((tool) => ({
    ...tool,
    parameters: { additionalProperties: false, ...tool.parameters },
  }));
  const calls = JSON.parse(label.replaceAll('```', '')) as ResolvedCall[];
  const { validate } = compileValidators(tools);
  const faults = calls.flatMap((call) => validate(call));
  const isUnknown = faults.some(({ pointer }) => pointer === '/name');
  const verdict = isUnknown ? 'unknownTool' : faults.length === 0 ? 'valid' : 'invalid';
  return { id, label, tools, verdict };
}
