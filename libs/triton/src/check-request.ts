import { checkKeys, checkRecord, keysOf } from './check-keys.js';
import type { InferRequest } from './infer-request.js';
import type { ModelRef } from './protocol.js';
import type { GenerateRequest } from './transport.js';
import { invalidArgument } from './triton-error.js';

const inferKeys = keysOf({
  model: true,
  version: true,
  id: true,
  parameters: true,
  inputs: true,
  outputs: true,
} satisfies Record<keyof InferRequest, true>);
const generateKeys = keysOf({ model: true, version: true, fields: true } satisfies Record<
  keyof GenerateRequest,
  true
>);

/** @throws TritonError `invalid_argument` for a model or version that is no text */
export function checkModel(ref: ModelRef): void {
  checkRecord('request', ref, 'give { model: … }');
  const { model, version } = ref;
  if (typeof model !== 'string' || model === '')
    throw invalidArgument('model', 'missing', 'give the name of a model');
  if (version !== undefined && typeof version !== 'string')
    throw invalidArgument(
      `model ${model}, version`,
      `${String(version)} is no text`,
      `give a text, as '${String(version)}'`,
    );
}

/** @throws TritonError `invalid_argument` that names the field and the mend */
export function checkInferRequest(request: InferRequest): void {
  checkModel(request);
  const { model, id, inputs, outputs } = request;
  checkKeys(`model ${model}, infer request`, request, inferKeys);
  checkRecord(`model ${model}, inputs`, inputs, 'give tensors or values by name');
  if (id !== undefined && typeof id !== 'string')
    throw invalidArgument(
      `model ${model}, id`,
      `${String(id)} is no text`,
      `give a text, as '${String(id)}'`,
    );
  if (outputs === undefined) return;
  if (!Array.isArray(outputs))
    throw invalidArgument(
      `model ${model}, outputs`,
      'no list',
      "give names in a list, as ['OUTPUT0']",
    );
  for (const [at, output] of outputs.entries()) {
    if (typeof (typeof output === 'string' ? output : output?.name) === 'string') continue;
    throw invalidArgument(
      `model ${model}, outputs[${at}]`,
      'has no name',
      'give a name, or { name: … }',
    );
  }
}

/** @throws TritonError `invalid_argument` that names the field and the mend */
export function checkGenerateRequest(request: GenerateRequest): void {
  checkModel(request);
  const { model, fields } = request;
  checkRecord(`model ${model}, fields`, fields, 'give inputs and parameters in fields: { … }');
  checkKeys(`model ${model}, generate request`, request, generateKeys);
}
