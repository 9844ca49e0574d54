import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startScriptedServer } from './scripted-server.js';

export interface ScriptedModel {
  /** What a worker needs to be asked of it. @param folder a place for its card */
  env(folder: string): NodeJS.ProcessEnv;
  close(): Promise<void>;
}

/**
 * A model behind OpenAI's API that is told by the request what to answer: `Answer with A >> B` gives A to the first
 * question, B to the second and all later ones. It is sure of everything.
 */
export async function startScriptedModel(): Promise<ScriptedModel> {
  const asked = new Map<string, number>();
  const server = await startScriptedServer(({ path: route, body }, response) => {
    if (route === '/v1/models') {
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ data: [{ id: 'scripted' }] }));
    }
    const { prompt } = JSON.parse(body) as { prompt: string };
    const [, script = '[]'] = /Answer with (.*?) #/.exec(prompt) ?? [];
    const answers = script.split(' >> ');
    const key = /#\d+/.exec(prompt)?.[0] ?? script;
    const count = asked.get(key) ?? 0;
    asked.set(key, count + 1);
    const text = answers[Math.min(count, answers.length - 1)] ?? '[]';
    const logprobs = { tokens: [text], token_logprobs: [0] };
    const chunks = [
      { choices: [{ text, finish_reason: 'stop', logprobs }] },
      { choices: [], usage: { prompt_tokens: 10, completion_tokens: 5 } },
    ].map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return response.end(`${chunks.join('')}data: [DONE]\n\n`);
  });
  return {
    env: (folder) => {
      const card = path.join(folder, 'scripted-card.json');
      const is = { flavour: 'compact', contextTokens: 32_768, maskTrained: false };
      writeFileSync(
        card,
        JSON.stringify({ name: 'scripted', confidenceThreshold: 0.5, chat: false, ...is }),
      );
      return {
        RUNTIME: 'openai',
        MODEL: 'scripted',
        MODEL_CARD: card,
        OPENAI_BASE_URL: `${server.url}/v1`,
        GUIDED_DECODING: 'off',
      };
    },
    close: () => server.close(),
  };
}
