import { describe, expect, it } from 'vitest';
import { answerToFields, fieldsToInputs } from './generate-fields.js';
import { tensor } from './make-tensor.js';
import type { GenerateFields, InferAnswer, ModelMetadata } from './protocol.js';

/** What is expected here of requests and answers was seen at Triton 2.51, but for what the docstrings say. */
const metadata: ModelMetadata = {
  name: 'm',
  versions: ['1'],
  platform: 'python',
  inputs: [
    { name: 'S', datatype: 'BYTES', shape: [1] },
    { name: 'L', datatype: 'BYTES', shape: [-1] },
    { name: 'M', datatype: 'FP32', shape: [-1, -1, 2] },
    { name: 'N', datatype: 'FP32', shape: [2, -1] },
    { name: 'B', datatype: 'BOOL', shape: [-1] },
    { name: 'I', datatype: 'INT8', shape: [-1] },
    { name: 'H', datatype: 'FP16', shape: [-1] },
  ],
  outputs: [],
};

function inputs(fields: GenerateFields): unknown {
  return fieldsToInputs(metadata, fields).inputs;
}

describe('fieldsToInputs', () => {
  it('makes inputs of fields with the name of one, and parameters of the others', () => {
    const fields = { S: 'hi', x: 1.5, y: true, z: 's', id: 'q', parameters: { B: [true], x: 2 } };
    expect(fieldsToInputs(metadata, fields)).toStrictEqual({
      id: 'q',
      parameters: { x: 2, y: true, z: 's', id: 'q' },
      inputs: [
        { name: 'S', tensor: tensor('BYTES', ['hi']) },
        { name: 'B', tensor: tensor('BOOL', [true]) },
      ],
    });
    expect(fieldsToInputs(metadata, { parameters: { id: 'q', parameters: 3 } })).toStrictEqual({
      id: undefined,
      parameters: { id: 'q', parameters: 3 },
      inputs: [],
    });
    const absent = { S: undefined, parameters: { x: undefined } } as unknown as GenerateFields;
    expect(fieldsToInputs(metadata, absent)).toMatchObject({ parameters: {}, inputs: [] });
  });

  it.each([
    [{ S: [''] }, [1]],
    [{ L: 'a' }, [1]],
    [{ L: [] }, [0]],
    [{ M: [1, 2] }, [1, 1, 2]],
    [{ M: [1, 2, 3, 4] }, [1, 2, 2]],
    [{ M: [] }, [1, 0, 2]],
    [{ N: [1, 2, 3, 4] }, [2, 2]],
    [{ N: [] }, [2, 0]],
    [{ H: 0.5 }, [1]],
  ])('gives %j the shape %j', (fields, shape) => {
    expect(inputs(fields)).toMatchObject([{ tensor: { shape } }]);
  });

  it.each<[GenerateFields, string]>([
    [{ S: ['a', 'b'] }, 'S: 2 elements cannot have the shape of BYTES [1]; give 1'],
    [{ S: [] }, 'S: 0 elements cannot have the shape of BYTES [1]; give 1'],
    [{ M: 1 }, 'M: 1 elements cannot have the shape of FP32 [-1, -1, 2]; give a multiple of 2'],
    [{ M: [[1], [2]] }, 'M: lists in a list; give a value or a flat list'],
    [{ S: 5 }, 'S: 5 is no BYTES; give a string or a Uint8Array'],
    [{ S: null }, 'S: null is no BYTES; give a string or a Uint8Array'],
    [{ M: [1, '2'] }, 'M[1]: a string is no FP32; give a number'],
    [{ I: 300 }, 'I: 300 is no INT8; give an integer from -128 to 127'],
    [{ I: 1.5 }, 'I: 1.5 is no INT8; give an integer from -128 to 127'],
    [{ S: 'a', parameters: { S: 'b' } }, 'parameters.S: given twice; give it here or'],
    [{ parameters: 3 }, 'parameters: no object; give one of values by name'],
    [{ parameters: [] }, 'parameters: no object; give one of values by name'],
    [{ id: 7 }, 'id: no string; give one'],
    [{ x: [1] }, 'x: neither an input of the model nor fit for a parameter; a parameter is a'],
    [{ parameters: { x: null } }, 'parameters.x: neither an input of the model nor fit'],
  ])('refuses %j', (fields, problem) => {
    expect(() => fieldsToInputs(metadata, fields)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        message: expect.stringContaining(`model m, field ${problem}`),
      }),
    );
  });
});

describe('answerToFields', () => {
  const answer: InferAnswer = { model: 'm', version: '3', id: '', parameters: {}, outputs: {} };

  it('gives single elements as they are, more or fewer as flat lists', () => {
    const outputs = {
      text: tensor('BYTES', ['ü'], [1, 1]),
      texts: tensor('BYTES', [['a'], ['b']]),
      none: tensor('BYTES', []),
      big: tensor('INT64', [2n ** 53n + 1n, -5]),
      truth: tensor('BOOL', [true, false]),
      float: tensor('FP32', [0.1]),
      half: tensor('FP16', [0.5, 2]),
    };
    expect(answerToFields({ ...answer, outputs })).toStrictEqual({
      text: 'ü',
      texts: ['a', 'b'],
      none: [],
      big: [2 ** 53, -5],
      truth: [true, false],
      float: 0.10000000149011612,
      half: [0.5, 2],
      model_name: 'm',
      model_version: '3',
    });
  });

  it('tells id and parameters, and of equal names what Triton tells', () => {
    const parameters = { a: 1n, b: 'x', model_name: 'y', triton_final_response: true };
    const outputs = { b: tensor('FP32', 1), model_version: tensor('BYTES', 'mine') };
    expect(answerToFields({ ...answer, id: 'q', parameters, outputs })).toStrictEqual({
      a: 1,
      b: 'x',
      id: 'q',
      model_name: 'm',
      model_version: '3',
    });
  });

  it('refuses a text that is not UTF-8', () => {
    const outputs = { text: tensor('BYTES', Uint8Array.of(0xff)) };
    expect(() => answerToFields({ ...answer, outputs })).toThrow(
      expect.objectContaining({
        reason: 'malformed_text',
        message: expect.stringContaining('output text'),
      }),
    );
  });
});
