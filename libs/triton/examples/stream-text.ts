// Text as a model writes it, in two ways. node stream-text.ts [grpc://127.0.0.1:8001]
import { output, toStrings, TritonClient } from '@hammerline/triton';

const address = process.argv[2] ?? 'grpc://127.0.0.1:8001';
const triton = new TritonClient(address);
const sampling = JSON.stringify({ max_tokens: 4 });

// By fields, as Triton's generate extension: over gRPC and HTTP alike.
const fields = { text_input: 'red green blue', stream: true, sampling_parameters: sampling };
for await (const { text_output } of triton.generateStream({ model: 'text', fields })) {
  console.log('fields', text_output);
}

// By tensors: HTTP has no streams of them.
if (address.startsWith('grpc')) {
  const inputs = { text_input: 'one two', stream: true, sampling_parameters: sampling };
  for await (const answer of triton.streamInfer({ model: 'text', inputs })) {
    console.log('tensors', ...toStrings(output(answer, 'text_output', 'BYTES')));
  }
} else {
  console.log('tensors only over gRPC');
}

await triton.close();
