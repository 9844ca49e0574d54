import { dumps, PyFloat, type PyValue, str } from '#libs/pyjson';
import { maskLengths, type MaskKind } from './alphabet.js';
import { callsWith, type Default, defaultRules, readDefault } from './mask-defaults.js';
import { distinctTools, inOrder, type MaskingMode, rename } from './mask-sample.js';
import {
  readSample,
  type Sample,
  type SampleCall,
  type SampleTool,
  writeAnswers,
  writeTools,
} from './sample.js';

/**
 * What is wrong with a masked sample, for those who verify a data set: nothing, if `after` can have come of `before` by
 * the masking of the Hammer paper (`strict`) or by ours (`corrected`), whatever was drawn. It finds out what each name
 * and default became, checks that, and compares `after` with what follows from it for tools, answers and query.
 *
 * @throws HammerlineError `invalid_request` for a sample that is not in the form of {@link Sample}
 */
export function maskingFaults(
  before: Sample,
  after: Sample,
  mode: MaskingMode = 'strict',
): string[] {
  return new Comparison(before, after, mode).faults;
}

class Comparison {
  readonly faults: string[] = [];
  readonly #mode: MaskingMode;
  readonly #before: Map<string, SampleTool>;
  readonly #after: SampleTool[];
  readonly #answers: SampleCall[];
  #query: string;

  constructor(before: Sample, after: Sample, mode: MaskingMode) {
    const given = readSample(before, '/before');
    const masked = readSample(after, '/after');
    this.#mode = mode;
    this.#before = distinctTools(given.tools);
    this.#after = masked.tools;
    this.#answers = given.answers;
    this.#query = before.query;

    this.#expect('number of tools', this.#before.size, this.#after.length);
    this.#expect('number of distinct tools', this.#after.length, distinctTools(this.#after).size);
    if (this.faults.length > 0) return;
    const origins = this.#pair(masked.answers);
    if (origins === undefined) return;
    for (const tool of this.#after) this.#compare(tool, origins.get(tool.name));
    this.#expect('tools', writeTools(this.#after), after.tools);
    this.#expect('answers', writeAnswers(this.#answers), after.answers);
    this.#expect('query', this.#query, after.query);
  }

  /** The tool that each masked one was, by masked name: told by the answers, or by all but the names. */
  #pair(masked: readonly SampleCall[]): Map<string, SampleTool> | undefined {
    const origins = new Map<string, SampleTool>();
    const rest = new Map(this.#before);
    for (const [index, { name }] of masked.entries()) {
      const old = this.#answers[index]?.name ?? '';
      const tool = rest.get(old);
      if (tool === undefined) continue; // known already, or a call of no tool
      origins.set(name, tool);
      rest.delete(old);
    }
    for (const tool of this.#after) {
      if (origins.has(tool.name)) continue;
      const origin = [...rest.values()].find((other) => shape(other) === shape(tool));
      if (origin === undefined) {
        this.faults.push(`tool ${q(tool.name)} is not one of the original tools`);
        continue;
      }
      origins.set(tool.name, origin);
      rest.delete(origin.name);
    }
    return this.faults.length === 0 ? origins : undefined;
  }

  /** Checks what was drawn for a tool, and does the same to the original answers and query. */
  #compare(tool: SampleTool, origin: SampleTool | undefined): void {
    if (origin === undefined) return;
    const oldNames = [...origin.parameters.keys()];
    const names = [...tool.parameters.keys()];
    this.#checkMask('function', tool.name, this.#before);
    for (const name of names) this.#checkMask('parameter', name, origin.parameters);
    this.#expect(`number of parameters of ${q(origin.name)}`, oldNames.length, names.length);
    const masks = new Map(oldNames.map((name, index) => [name, names[index] ?? name]));
    for (const call of this.#answers) {
      if (call.name !== origin.name) continue;
      call.name = tool.name;
      call.arguments = rename(inOrder(call.arguments, masks), masks);
    }
    origin.name = tool.name;
    origin.parameters = rename(origin.parameters, masks);
    for (const name of names) this.#followDefault(origin, tool, name);
    this.#expect(`tool ${q(tool.name)}`, writeTools([origin]), writeTools([tool]));
  }

  #checkMask(kind: MaskKind, mask: string, originals: ReadonlyMap<string, unknown>): void {
    const [least, most] = maskLengths[kind];
    if (!new RegExp(`^[A-Za-z0-9_.]{${least},${most}}$`).test(mask)) {
      this.faults.push(`${q(mask)} is no mask of a ${kind}`);
    }
    if (originals.has(mask)) this.faults.push(`${q(mask)} is the name of an original ${kind}`);
  }

  /** Does to the original what follows from a default that was drawn anew. */
  #followDefault(origin: SampleTool, tool: SampleTool, parameter: string): void {
    const rules = defaultRules[this.#mode];
    const schema = origin.parameters.get(parameter);
    const old = schema && readDefault(schema);
    const fresh = tool.parameters.get(parameter)?.get('default');
    if (!schema || old === undefined || fresh === undefined || dumps(old) === dumps(fresh)) return;
    const place = `default of ${q(parameter)} of ${q(tool.name)}`;
    if (!isDraw(old, fresh, this.#mode)) {
      this.faults.push(`${place}: ${dumps(fresh)} is not drawn for ${dumps(old)}`);
    }
    const calls = callsWith(origin, parameter, this.#answers);
    if (!calls.some(({ value }) => rules.isUse(value, old))) {
      this.faults.push(`${place} changed, and no answer uses it`);
    }
    const description = schema.get('description');
    schema.set('default', fresh);
    if (typeof description === 'string') {
      schema.set('description', rules.inDescription(description, str(old), str(fresh)));
    }
    for (const { call, value } of calls) {
      if (!rules.follows(value, old)) continue;
      call.arguments.set(parameter, fresh);
      this.#query = rules.inQuery(this.#query, str(old), str(fresh));
    }
  }

  #expect(what: string, expected: string | number, actual: string | number): void {
    if (expected !== actual) this.faults.push(`${what}: expected ${expected}, found ${actual}`);
  }
}

function isDraw(old: Default, fresh: PyValue, mode: MaskingMode): boolean {
  const [least, most] = maskLengths.default;
  if (typeof old === 'string') {
    const isText = typeof fresh === 'string' && fresh.length >= least && fresh.length <= most;
    return isText && /^[A-Za-z0-9_.]*$/.test(fresh);
  }
  if (old instanceof PyFloat || (typeof old === 'boolean' && mode === 'strict')) {
    const from = old instanceof PyFloat ? old.value : Number(old);
    return fresh instanceof PyFloat && fresh.value >= from && fresh.value <= from + 1;
  }
  if (typeof old === 'boolean' || (typeof fresh !== 'number' && typeof fresh !== 'bigint')) {
    return false;
  }
  const step = BigInt(fresh) - BigInt(old);
  return step >= 1n && step <= 4n;
}

/** A tool but for its names. */
function shape({ parameters, record }: SampleTool): string {
  return dumps(new Map([...record, ['name', ''], ['parameters', [...parameters.values()]]]));
}

function q(name: string): string {
  return JSON.stringify(name);
}
