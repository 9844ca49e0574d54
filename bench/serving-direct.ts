import { CARD_PARAMETER, ModelCard } from '#libs/models';
import { TritonClient } from '#libs/triton';
import { compileToolset } from '#libs/turn';
import { textOfPrompt } from '../apps/worker/src/models/text-prompt.js';
import type { Toolset } from './serving-system.js';

/** What the product is measured by: its prompts, sent to Triton by its client, and nothing else. */
export interface Direct {
  /** Reads the answer to its end. */
  ask(query: string): Promise<void>;
  close(): Promise<void>;
}

/** As the worker asks: the same prompt, sampling parameters and guided decoding. */
export async function openDirect(server: { grpc: string }, toolset: Toolset): Promise<Direct> {
  const client = new TritonClient(`grpc://${server.grpc}`);
  const { parameters } = (await client.modelConfig('hammer')) as {
    parameters: Record<string, { string_value: string }>;
  };
  const text = parameters[CARD_PARAMETER]?.string_value ?? '';
  const { flavour, maxCalls, stop } = ModelCard.parse(JSON.parse(text));
  const compiled = compileToolset(toolset.tools, { flavour, maxCalls });
  const sampling = JSON.stringify({
    temperature: 0,
    seed: 0,
    max_tokens: 512,
    stop,
    logprobs: 0,
    structured_outputs: JSON.stringify({ grammar: compiled.constraint.grammar }),
  });
  return {
    async ask(query) {
      const fields = {
        text_input: textOfPrompt(compiled.prompt([{ role: 'user', content: query }])),
        sampling_parameters: sampling,
        stream: true,
        exclude_input_in_output: true,
        return_finish_reason: true,
        return_logprobs: true,
        return_num_input_tokens: true,
        return_num_output_tokens: true,
      };
      let finished: unknown;
      for await (const answer of client.generateStream({ model: 'hammer', fields })) {
        finished = answer.finish_reason;
      }
      if (finished !== 'stop') throw new Error(`an answer ended by ${JSON.stringify(finished)}`);
    },
    close: () => client.close(),
  };
}
