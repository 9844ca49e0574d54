import { type InferRequest, type Tensor, tensor } from '#libs/triton';

export const text = (value: string): Tensor => tensor('BYTES', [value]);

/** What a server refuses of an inference, with its words. */
interface Refusal {
  readonly what: string;
  readonly request: InferRequest;
  readonly code: string;
  readonly message: RegExp;
}

export const INPUT0 = tensor('FP32', [1, 2]);
export const REFUSED: readonly Refusal[] = [
  {
    what: 'an unknown model',
    request: { model: 'identiti', inputs: { INPUT0 } },
    code: 'not_found',
    message: /^Request for unknown model: 'identiti' is not found$/,
  },
  {
    what: 'an unknown version',
    request: { model: 'identity', version: '7', inputs: { INPUT0 } },
    code: 'not_found',
    message: /^Request for unknown model: 'identity' version 7 is not found$/,
  },
  {
    what: 'a wrong data type',
    request: { model: 'identity', inputs: { INPUT0: tensor('INT32', [1]) } },
    code: 'invalid_argument',
    message: /inference input 'INPUT0' data-type is 'INT32', but model 'identity' expects 'FP32'$/,
  },
  {
    what: 'a wrong shape',
    request: { model: 'identity', inputs: { INPUT0: tensor('FP32', [[1]]) } },
    code: 'invalid_argument',
    message:
      /unexpected shape for input 'INPUT0' for model 'identity'. Expected \[-1\], got \[1,1\]/,
  },
  {
    what: 'an unknown input',
    request: { model: 'identity', inputs: { INPUT0, INPUT1: INPUT0 } },
    code: 'invalid_argument',
    message: /expected 1 inputs but got 2 inputs for model 'identity'/,
  },
  {
    what: 'an input with another name',
    request: { model: 'identity', inputs: { INPUT: INPUT0 } },
    code: 'invalid_argument',
    message: /input.* 'INPUT'.* for model 'identity'/,
  },
  {
    what: 'no input',
    request: { model: 'identity', inputs: {} },
    code: 'invalid_argument',
    message: /expected 1 inputs but got 0 inputs for model 'identity'/,
  },
  {
    what: 'an unknown output',
    request: { model: 'identity', inputs: { INPUT0 }, outputs: ['OUTPUT'] },
    code: 'invalid_argument',
    message: /unexpected inference output 'OUTPUT' for model 'identity'$/,
  },
  {
    what: 'a unary inference of a decoupled model',
    request: { model: 'text', inputs: { text_input: text('hi') } },
    code: 'unimplemented',
    message:
      / doesn't support models with decoupled transaction policy \(use streamInfer, over gRPC, or generateStream\)$/,
  },
  {
    what: 'a batch that is too large',
    request: { model: 'slow', inputs: { MS: tensor('INT32', [[1], [1]]) } },
    code: 'invalid_argument',
    message: /batch-size must be <= 1 for 'slow'/,
  },
];
