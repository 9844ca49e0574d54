import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dumps } from '#libs/pyjson';
import { fuzzRuns } from '../../../../test/support/fuzz.js';
import { GbnfAcceptor } from '../../../../test/support/gbnf-acceptor.js';
import { GbnfSampler } from '../../../../test/support/gbnf-sampler.js';
import {
  drawValue,
  parameters,
  wildParameters,
  zzLast,
} from '../../../../test/support/schema-arbitrary.js';
import { seededRandom } from '../../../../test/support/seeded-random.js';
import { parseCalls } from '../parse.js';
import { compileConstraint } from './compile-constraint.js';

type Schema = Record<string, unknown>;

/** Texts that are tried on each random tool: compiling it costs more than they do. */
const perTool = 40;
const numRuns = Math.ceil(fuzzRuns() / perTool);

function toolOf(schema: Schema) {
  return [{ name: 'tööl', description: '', parameters: schema }];
}

function compileSchema(schema: Schema): ValidateFunction {
  const ajv = new Ajv2020({
    strict: false,
    logger: false,
    meta: false,
    validateSchema: false,
    ownProperties: true,
  });
  formats.default(ajv);
  return ajv.compile(schema);
}

describe('the grammar of random tools', () => {
  it('gives only valid calls, where all keywords are of the subset', () => {
    const property = fc.property(parameters, fc.nat(), (schema, seed) => {
      const { grammar, report } = compileConstraint(toolOf(schema), {
        toolChoice: 'required',
        maxCalls: 2,
      });
      expect(report).toEqual({ widened: [], omitted: 0 });
      const validate = compileSchema(schema);
      const sampler = new GbnfSampler(grammar);
      for (let index = 0; index < perTool; index++) {
        const text = sampler.draw(seed + index);
        const result = parseCalls(text);
        // No grammar can tell that a name in a map is new.
        if (!result.ok && result.reason.includes('given twice')) continue;
        if (!result.ok) throw new Error(`${result.reason}: ${text}`);
        expect(result.calls.length).toBeGreaterThan(0);
        for (const call of result.calls) {
          expect([text, validate(call.arguments), validate.errors]).toEqual([text, true, null]);
        }
      }
    });
    fc.assert(property, { numRuns, seed: 4 });
  });

  it('has all valid calls in the order of the schema, where all keywords are of the subset', () => {
    const property = fc.property(parameters, fc.nat(), (schema, seed) => {
      const acceptor = new GbnfAcceptor(compileConstraint(toolOf(schema)).grammar);
      const validate = compileSchema(schema);
      const random = seededRandom(seed);
      for (let index = 0; index < perTool; index++) {
        const args = drawValue(schema, schema, random);
        expect([args, validate(args)]).toEqual([args, true]);
        const call = { name: 'tööl', arguments: args };
        const text = `\`\`\`\n${dumps([call, call], { ensureAscii: random() < 0.5 })}\n\`\`\``;
        expect([text, acceptor.accepts(text)]).toEqual([text, true]);
      }
    });
    fc.assert(property, { numRuns, seed: 5 });
  });

  it('has all valid calls whatever the keywords, and gives others only where it reports', () => {
    let valid = 0;
    const property = fc.property(wildParameters, fc.nat(), (schema, seed) => {
      const { grammar, report } = compileConstraint(toolOf(schema), { fence: false, maxCalls: 1 });
      const acceptor = new GbnfAcceptor(grammar);
      const validate = compileSchema(schema);
      const random = seededRandom(seed);
      for (let index = 0; index < perTool; index++) {
        const args = drawValue(schema, schema, random);
        if (!validate(args)) continue;
        valid++;
        const texts = [args, zzLast(args)].map((each) =>
          dumps([{ name: 'tööl', arguments: each }]),
        );
        expect([texts[0], texts.some((text) => acceptor.accepts(text))]).toEqual([texts[0], true]);
      }
      if (report.widened.length > 0) return;
      const sampler = new GbnfSampler(grammar);
      for (let index = 0; index < perTool; index++) {
        const result = parseCalls(sampler.draw(seed + index));
        for (const call of result.ok ? result.calls : []) {
          expect([call, validate(call.arguments)]).toEqual([call, true]);
        }
      }
    });
    fc.assert(property, { numRuns, seed: 6 });
    expect(valid).toBeGreaterThan(numRuns);
  });
});
