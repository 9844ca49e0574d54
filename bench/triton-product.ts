import { TritonClient } from '#libs/triton';
import type { InferClient } from './triton-client.js';

/** The product, as it comes: inputs are checked, calls have a deadline and may be tried again. */
export function connect(url: string): InferClient {
  const client = new TritonClient(url);
  return {
    async infer(values) {
      const { outputs } = await client.infer({ model: 'identity', inputs: { INPUT0: values } });
      return outputs.OUTPUT0?.data as Float32Array;
    },
    async openStream(values) {
      const request = { model: 'identity', inputs: { INPUT0: values } };
      await client.streamInfer(request)[Symbol.asyncIterator]().next();
    },
    async readTokens({ id, tokens, everyMs }) {
      const sampling = { max_tokens: tokens, script: { first_ms: everyMs, every_ms: everyMs } };
      const request = {
        model: 'text',
        id,
        inputs: {
          text_input: ['a few words of a prompt'],
          stream: [true],
          sampling_parameters: [JSON.stringify(sampling)],
        },
      };
      let answers = 0;
      for await (const { outputs } of client.streamInfer(request)) {
        if (outputs.text_output) answers++;
      }
      if (answers !== tokens) throw new Error(`${answers} answers for ${tokens} tokens`);
    },
  };
}
