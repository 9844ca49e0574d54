import { invalidRequest, type JsonSchema, type ToolDefinition } from '#libs/contracts';
import { isObject, keywordRoles } from './mask-keywords.js';

/** Levels of lists and objects in one tool's schema. */
const maxLevels = 256;
/** Lists and objects in one tool's schema; those that are shared count each time, as they do in JSON. */
const maxParts = 1_000_000;

/** What has to be known of a tool's schema before its names can be masked. */
export interface Survey {
  /** The names of parameters at any depth: all that the schema lists, also those that it only requires. */
  readonly names: ReadonlySet<string>;
  /** The keys of objects within `enum` and `const`, which arguments are compared with; they may repeat. */
  readonly literalKeys: readonly string[];
  /** Whether there is a keyword that judges names by other means than listing them. */
  readonly hasPatterns: boolean;
}

/**
 * Reads a tool's schema once.
 *
 * @param index where the tool stands in its toolset
 * @throws HammerlineError `invalid_request` for a schema that contains itself, is too deep or too large for anything, or
 * refers elsewhere
 */
export function surveyTool({ name, parameters }: ToolDefinition, index: number): Survey {
  const surveyor = new Surveyor();
  try {
    surveyor.schema(parameters, 0);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const detail = `tool ${JSON.stringify(name)}: ${error.message}`;
    throw invalidRequest({ pointer: `/tools/${index}/parameters`, detail, mend: error.mend });
  }
  return surveyor;
}

class Refusal extends Error {
  readonly mend: string;

  constructor(message: string, mend: string) {
    super(message);
    this.mend = mend;
  }
}

class Surveyor implements Survey {
  readonly names = new Set<string>();
  readonly literalKeys: string[] = [];
  hasPatterns = false;
  #parts = 0;

  /** @param schema a schema, or a list of them */
  schema(schema: unknown, level: number): void {
    if (typeof schema !== 'object' || schema === null) return;
    this.#enter(level);
    if (Array.isArray(schema)) {
      for (const member of schema) this.schema(member, level + 1);
      return;
    }
    const members = schema as JsonSchema;
    // Not by Object.keys, which takes twice as long: what JSON can say has no inherited members.
    for (const keyword in members) {
      const value = members[keyword];
      if (typeof value === 'object' || keyword === '$ref') this.#keyword(keyword, value, level + 1);
    }
  }

  #keyword(keyword: string, value: unknown, level: number): void {
    switch (keywordRoles.get(keyword)) {
      case 'properties':
      case 'dependents':
        this.#map(value, true, level);
        break;
      case 'definitions':
        this.hasPatterns ||= keyword === 'patternProperties';
        this.#map(value, false, level);
        break;
      case 'schemas':
        this.hasPatterns ||= keyword === 'propertyNames';
        this.schema(value, level);
        break;
      case 'names':
        this.#list(value);
        break;
      case 'literal':
        this.#data(value, level, true);
        break;
      case 'reference':
        if (typeof value === 'string' && !/^#(?:\/|$)/.test(value)) {
          const reference = JSON.stringify(value.slice(0, 80));
          throw new Refusal(`$ref ${reference} leads elsewhere`, 'refer to "#/$defs/Name"');
        }
        break;
      case 'discriminator':
      case 'text':
      case 'sample':
      case 'samples':
      case undefined:
        this.#data(value, level, false);
    }
  }

  #map(map: unknown, areParameters: boolean, level: number): void {
    if (!isObject(map)) return;
    this.#enter(level);
    for (const key in map) {
      const member = map[key];
      if (areParameters) this.names.add(key);
      if (areParameters && Array.isArray(member)) this.#list(member);
      else this.schema(member, level + 1);
    }
  }

  #list(list: unknown): void {
    if (!Array.isArray(list)) return;
    for (const name of list) if (typeof name === 'string') this.names.add(name);
  }

  #data(value: unknown, level: number, isLiteral: boolean): void {
    if (typeof value !== 'object' || value === null) return;
    this.#enter(level);
    if (Array.isArray(value)) {
      for (const item of value) this.#data(item, level + 1, isLiteral);
      return;
    }
    for (const [key, member] of Object.entries(value)) {
      if (isLiteral) this.literalKeys.push(key);
      this.#data(member, level + 1, isLiteral);
    }
  }

  #enter(level: number): void {
    if (level > maxLevels) {
      const message = `the schema contains itself, or nests deeper than ${maxLevels} levels`;
      throw new Refusal(message, 'simplify it');
    }
    if (++this.#parts > maxParts) {
      throw new Refusal(`the schema has over ${maxParts} lists and objects`, 'simplify it');
    }
  }
}
