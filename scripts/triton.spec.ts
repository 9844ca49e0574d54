import { expect, it } from 'vitest';
import { parseTritonFlags } from './triton.mjs';

it('hands what comes after a further -- to tritonserver', () => {
  const args = ['--model-repository', 'models', '--http-port', '8000', '--', '--log-verbose=1'];
  expect(parseTritonFlags(args)).toEqual({
    help: false,
    setupOnly: false,
    verbose: false,
    modelRepository: 'models',
    grpcPort: undefined,
    httpPort: 8000,
    metricsPort: undefined,
    args: ['--log-verbose=1'],
  });
});

it.each([
  [[], '--model-repository DIR is missing: the folder of the models to serve'],
  [['--log-verbose=1'], "Unknown option '--log-verbose'; flags of tritonserver come after"],
  [
    ['--setup-only', '--grpc-port', '0'],
    '--grpc-port must be a whole number from 1 to 65535, not "0"',
  ],
])('refuses %j in one line', (args, message) => {
  expect(() => parseTritonFlags(args)).toThrow(message);
  expect(() => parseTritonFlags(args)).toThrow(/^.*$/);
});
