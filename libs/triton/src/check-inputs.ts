import { checkCount, readValues, type TensorValues } from './make-tensor.js';
import { nearestName } from './nearest-name.js';
import type { ModelMetadata, NamedTensor, RequestedOutput, TensorMetadata } from './protocol.js';
import { elementCount, shapeText } from './shape.js';
import type { Tensor } from './tensor.js';
import { invalidArgument, type TritonError } from './triton-error.js';

/** A tensor, or what `tensor` makes one of: the data type is then the model's. */
export type TensorInput = Tensor | TensorValues;

/**
 * Makes the tensors of a request and checks them against what the model says of itself.
 *
 * A single element, a flat list or a typed array takes the model's shape where exactly one fits: 4 numbers for `[-1, 4]` become
 * `[1, 4]`. Everything else has the shape that it comes with. An input that is absent is left to the server: metadata does
 * not say which ones the model can do without.
 *
 * @throws TritonError `invalid_argument` that names model and input, what is expected, what is given, and the mend
 */
export function prepareInputs(
  metadata: ModelMetadata,
  inputs: Readonly<Record<string, TensorInput>>,
): NamedTensor[] {
  return Object.keys(inputs).map((name) => {
    const expected = metadata.inputs.find((input) => input.name === name);
    if (expected === undefined) throw unknownName(metadata.name, 'input', name, metadata.inputs);
    return { name, tensor: prepareInput(metadata.name, expected, inputs[name]) };
  });
}

/** @throws TritonError `invalid_argument` for an output that the model does not have */
export function checkOutputs(metadata: ModelMetadata, outputs: readonly RequestedOutput[]): void {
  for (const { name } of outputs) {
    if (!metadata.outputs.some((output) => output.name === name)) {
      throw unknownName(metadata.name, 'output', name, metadata.outputs);
    }
  }
}

/** Names that are no input of the model but nearly one that was not given, as a question; empty if there is none. */
export function misspeltInputs(metadata: ModelMetadata, given: readonly string[]): string {
  const inputs = metadata.inputs.map(({ name }) => name);
  const missing = inputs.filter((name) => !given.includes(name));
  const questions = given.flatMap((name) => {
    const nearest = inputs.includes(name) ? undefined : nearestName(name, missing);
    return nearest === undefined ? [] : [`${name} is no input: did you mean ${nearest}?`];
  });
  return questions.join(' ');
}

function unknownName(
  model: string,
  kind: string,
  name: string,
  known: readonly TensorMetadata[],
): TritonError {
  const where = `model ${model}, ${kind} ${name}`;
  if (known.length === 0) return invalidArgument(where, 'unknown', `the model has no ${kind}s`);
  const names = known.map((one) => one.name);
  const nearest = nearestName(name, names);
  const list = `the ${kind}s are ${known.map(expectedText).join(', ')}`;
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return invalidArgument(where, 'unknown', list + hint);
}

function expectedText({ name, datatype, shape }: TensorMetadata): string {
  return `${name} (${datatype} ${shapeText(shape)})`;
}

function prepareInput(model: string, expected: TensorMetadata, given: unknown): Tensor {
  const where = `model ${model}, input ${expected.name}`;
  const { datatype } = expected;
  if (isTensor(given)) {
    if (!Array.isArray(given.shape))
      throw misfit(where, expected, `${given.datatype} without shape`);
    if (given.datatype !== datatype || !fits(given.shape, expected.shape)) {
      throw misfit(where, expected, `${given.datatype} ${shapeText(given.shape)}`);
    }
    const { data } = readValues(where, datatype, given.data);
    checkCount(`${where}, shape`, given.shape, data.length);
    return { datatype, shape: given.shape, data } as Tensor;
  }
  const { data, shape: own } = readValues(where, datatype, given);
  const shape = own.length === 1 ? shapeOf(data.length, expected.shape) : own;
  if (shape === undefined || !fits(shape, expected.shape)) {
    throw misfit(where, expected, `values of shape ${shapeText(own)}`);
  }
  return { datatype, shape, data } as Tensor;
}

function isTensor(given: unknown): given is Tensor {
  return typeof given === 'object' && given !== null && 'datatype' in given;
}

function misfit(where: string, { datatype, shape }: TensorMetadata, given: string): TritonError {
  const problem = `${given}, but the model takes ${datatype} ${shapeText(shape)}`;
  const mend = `give a tensor like that${shape.includes(-1) ? ', -1 being any size' : ''}`;
  return invalidArgument(where, problem, mend);
}

function fits(shape: readonly number[], expected: readonly number[]): boolean {
  if (shape.length !== expected.length) return false;
  return expected.every((size, index) => size === -1 || size === shape[index]);
}

/** The only shape of so many elements that a model takes, if there is just one. */
function shapeOf(count: number, expected: readonly number[]): readonly number[] | undefined {
  if (expected.length === 1) return [count];
  const free = expected.filter((size) => size === -1).length;
  const each = count / elementCount(expected.filter((size) => size !== -1));
  // Two dimensions of any size share more than one element in several ways, and none in endlessly many.
  const only = free === 1 ? Number.isSafeInteger(each) : each === 1;
  return only ? expected.map((size) => (size === -1 ? each : size)) : undefined;
}
