import type { Request, Toolset } from './serving-system.js';

/** A tool to name in an answer; nothing is ever sent to its address. */
export function actingToolset(name: string): Toolset {
  const tool = {
    name: 'act',
    description: `Do it for ${name}.`,
    parameters: { type: 'object', properties: {} },
    executor: { kind: 'http', method: 'POST', url: 'http://127.0.0.1:1/' },
  };
  return { name, tools: [tool] };
}

/** What the scripted model answers with a call of that tool. */
export const SCRIPTED_QUERY = 'Answer with [{"name": "act", "arguments": {}}]';

export function scriptedRequest(toolset: string): Request {
  return { query: SCRIPTED_QUERY, toolset, mode: 'resolve' };
}
