// Loading models on a server that was started with --model-control-mode=explicit.
// node load-model.ts [grpc://127.0.0.1:8001]
import { output, toNumbers, TritonClient, TritonError } from '@hammerline/triton';

const triton = new TritonClient(process.argv[2] ?? 'grpc://127.0.0.1:8001');

const program = `
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", t.as_numpy() * 2)])
                for r in requests for t in r.inputs()]
`;
try {
  // From the server's repository.
  await triton.loadModel('identity');
  console.log('identity', (await triton.modelReady('identity')) ? 'ready' : 'not ready');

  // One that the repository does not have: configuration and files are sent along.
  await triton.loadModel({
    model: 'double',
    config: {
      backend: 'python',
      input: [{ name: 'X', data_type: 'TYPE_FP32', dims: [-1] }],
      output: [{ name: 'Y', data_type: 'TYPE_FP32', dims: [-1] }],
    },
    files: { '1/model.py': Buffer.from(program) },
  });
  const answer = await triton.infer({ model: 'double', inputs: { X: [1, 2, 3] } });
  console.log('double', toNumbers(output(answer, 'Y', 'FP32')));

  await triton.unloadModel('double');
  for (const { name, state } of await triton.repositoryIndex())
    console.log(name, state || 'unloaded');
} catch (error) {
  if (!(error instanceof TritonError)) throw error;
  console.error(error.code, '·', error.message);
  process.exitCode = 1;
} finally {
  await triton.close();
}
