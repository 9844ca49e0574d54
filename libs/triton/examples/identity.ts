// Tensors in and out. node identity.ts [grpc://127.0.0.1:8001]
import { output, tensor, toNumbers, TritonClient, TritonError } from '@hammerline/triton';

const triton = new TritonClient(process.argv[2] ?? 'grpc://127.0.0.1:8001');

// Plain values become a tensor of the data type and shape that the model says it takes.
const plain = await triton.infer({ model: 'identity', inputs: { INPUT0: [1, 2.5, -3] } });
console.log('numbers', toNumbers(output(plain, 'OUTPUT0', 'FP32')));

// A typed array is sent from where it lies. Here, `data` is known to be a Float32Array.
const weights = new Float32Array(1_000_000).fill(0.5);
const { data, shape } = output(
  await triton.infer({ model: 'identity', inputs: { INPUT0: tensor('FP32', weights) } }),
  'OUTPUT0',
  'FP32',
);
console.log('typed array', shape, data[999_999]);

// What does not fit is refused before it is sent.
try {
  await triton.infer({ model: 'identity', inputs: { INPUT0: ['one'] } });
} catch (error) {
  if (!(error instanceof TritonError)) throw error;
  console.log(error.code, '·', error.message);
}

await triton.close();
