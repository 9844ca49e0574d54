// Giving up: by a deadline, by a signal, by leaving a loop, and when a model falls silent.
// node deadlines.ts [grpc://127.0.0.1:8001]
import { TritonClient, TritonError } from '@hammerline/triton';

const triton = new TritonClient(process.argv[2] ?? 'grpc://127.0.0.1:8001', { stallMs: 300 });

async function tell(what: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof TritonError)) throw error;
    console.log(what, '·', error.code, ...(error.reason ? [error.reason] : []));
  }
}

const slow = { model: 'slow', inputs: { MS: [2_000] } };
await tell('deadline', triton.infer(slow, { timeoutMs: 100 }));

const abort = new AbortController();
setTimeout(() => abort.abort(), 100);
await tell('signal', triton.infer(slow, { signal: abort.signal }));

const ask = (script: object) => ({
  model: 'text',
  fields: {
    text_input: 'word',
    stream: true,
    sampling_parameters: JSON.stringify({ max_tokens: 1_000, script }),
  },
});

for await (const { text_output } of triton.generateStream(ask({ every_ms: 10 }))) {
  console.log('left after the first answer ·', text_output);
  break; // cancels the request at the server
}

async function readAll(answers: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of answers);
}
await tell('silence', readAll(triton.generateStream(ask({ hang: 2 }))));

await triton.close();
