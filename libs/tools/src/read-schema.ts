import type { Fault, JsonSchema } from '#libs/contracts';
import { isObject, pointerStep } from './json.js';
import { LocalReferences } from './local-references.js';
import {
  dropped,
  isPattern,
  keywords,
  nameList,
  refused,
  schemaLists,
  schemaMaps,
  schemaSlots,
} from './schema-keywords.js';
import { isOptionalType, typeSchema } from './type-names.js';

/** Parameters as read: a JSON Schema (2020-12) of type object, right only if `faults` is empty. */
export interface ReadParameters {
  schema: JsonSchema;
  faults: Fault[];
}

/**
 * Reads the parameters of one tool, given as a JSON Schema or (xLAM) as a map of parameters, whose type names may be
 * those of JSON Schema, Python, Java or JavaScript.
 *
 * @param pointer where the parameters stand in the request: each fault's pointer starts with it
 * @param required the names in a list beside the parameters, which some xLAM-like data sets have
 */
export function readParameters(
  parameters: unknown,
  pointer: string,
  required?: unknown,
): ReadParameters {
  const reader = new SchemaReader();
  const schema = reader.parameters(parameters, pointer, required);
  reader.checkRequired(schema, pointer);
  return { schema, faults: [...reader.faults, ...reader.references.faults(schema)] };
}

class SchemaReader {
  readonly faults: Fault[] = [];
  readonly references = new LocalReferences();

  parameters(parameters: unknown, pointer: string, required: unknown): JsonSchema {
    if (parameters === undefined || parameters === null) return { type: 'object', properties: {} };
    if (!isObject(parameters)) {
      this.#fault(pointer, 'must be an object', 'give a JSON Schema of type object');
      return {};
    }
    if (isSchema(parameters)) {
      if (required !== undefined) {
        this.#fault(`${pointer}/required`, 'is missing here', 'move `required` into `parameters`');
      }
      return this.#root(parameters, pointer);
    }
    const { properties, flagged } = this.#properties(parameters, pointer);
    if (required === undefined) {
      return { type: 'object', properties, required: requiredOf(parameters, flagged) };
    }
    const list = nameList.safeParse(required);
    if (!list.success) {
      this.#fault(pointer, 'stand beside a `required` that is no list of names', 'mend it');
    }
    return { type: 'object', properties, required: list.data ?? [] };
  }

  /** A required argument that nothing describes is one that no model can know of. */
  checkRequired(schema: JsonSchema, pointer: string): void {
    const properties = isObject(schema.properties) ? schema.properties : {};
    const required: unknown[] = Array.isArray(schema.required) ? schema.required : [];
    for (const name of required.filter((key) => !Object.hasOwn(properties, String(key)))) {
      const detail = `names ${JSON.stringify(name)}, which is not among the properties`;
      this.#fault(`${pointer}/required`, detail, 'describe it in properties, or do not require it');
    }
  }

  #root(parameters: Record<string, unknown>, pointer: string): JsonSchema {
    const schema = this.#schema(parameters, pointer);
    if (!isObject(schema)) return {};
    if (schema.type === 'object') return schema;
    if (parameters.type !== undefined && schema.type !== undefined) {
      this.#fault(`${pointer}/type`, 'must be "object"', 'describe the arguments as an object');
    }
    const root = { type: 'object', ...schema };
    this.references.addSchema(root);
    return root;
  }

  #schema(value: unknown, pointer: string): unknown {
    if (typeof value === 'boolean') return value;
    if (!isObject(value)) {
      this.#fault(pointer, 'is no schema', 'give an object such as {"type": "string"}');
      return {};
    }
    const entries: [string, unknown][] = [];
    let flagged: string[] = [];
    for (const [key, member] of Object.entries(value)) {
      const at = pointer + pointerStep(key);
      if (dropped.has(key) || (key === 'required' && typeof member === 'boolean')) continue;
      if (refused.has(key)) {
        this.#fault(at, `${key} is not supported`, 'use $ref and $defs, or dependentSchemas');
      } else if (key === 'type') {
        entries.push(...this.#type(member, at, value));
      } else if (key === 'properties') {
        const read = this.#properties(member, at);
        flagged = read.flagged;
        entries.push([key, read.properties]);
      } else if (schemaMaps.has(key)) {
        entries.push([key, this.#map(member, at, key === 'patternProperties')]);
      } else if (schemaLists.has(key)) {
        entries.push([key, this.#list(member, at)]);
      } else if (key === 'items' && Array.isArray(member)) {
        entries.push(['prefixItems', this.#list(member, at)]); // as older drafts write it
      } else if (key === 'additionalItems') {
        if (Array.isArray(value.items)) entries.push(['items', this.#schema(member, at)]);
      } else if (schemaSlots.has(key)) {
        entries.push([key, this.#schema(member, at)]);
      } else {
        this.#keyword(key, member, at);
        entries.push([key, member]);
      }
    }
    const schema: JsonSchema = Object.fromEntries(entries);
    if (flagged.length > 0) {
      const list = Array.isArray(schema.required) ? schema.required : [];
      schema.required = [...new Set([...list, ...flagged])];
    }
    this.references.addSchema(schema);
    return schema;
  }

  #keyword(key: string, value: unknown, pointer: string): void {
    if (key === '$ref') {
      if (typeof value === 'string') this.references.add(value, pointer);
      else
        this.#fault(pointer, 'must be text', 'refer to a schema of this tool, as "#/$defs/Name"');
      return;
    }
    const problem = keywords.get(key)?.safeParse(value).error?.issues[0]?.message;
    if (problem !== undefined) this.#fault(pointer, problem, `mend or leave out \`${key}\``);
  }

  #type(value: unknown, pointer: string, schema: Record<string, unknown>): [string, unknown][] {
    const list: unknown[] = Array.isArray(value) ? [...value] : [value];
    const unknown = list.find((name) => typeof name !== 'string' || typeSchema(name) === undefined);
    if (list.length === 0 || unknown !== undefined) {
      const what = list.length === 0 ? 'an empty list' : JSON.stringify(unknown).slice(0, 80);
      this.#fault(
        pointer,
        `${what} is no type`,
        'use string, integer, number, boolean, array, object or null',
      );
      return [];
    }
    if (schema.nullable === true) list.push('null');
    const read = typeSchema(list.join(' | ')) ?? {};
    // What the schema itself says about items and the like counts more than what a type name does.
    return Object.entries(read).filter(([key]) => key === 'type' || !Object.hasOwn(schema, key));
  }

  #properties(value: unknown, pointer: string): { properties: JsonSchema; flagged: string[] } {
    const flagged = isObject(value)
      ? Object.entries(value).filter(([, member]) => isObject(member) && member.required === true)
      : [];
    return { properties: this.#map(value, pointer), flagged: flagged.map(([name]) => name) };
  }

  #map(value: unknown, pointer: string, keysArePatterns = false): JsonSchema {
    if (!isObject(value)) {
      this.#fault(pointer, 'must map names to schemas', 'give an object');
      return {};
    }
    const entries = Object.entries(value).map(([name, member]): [string, unknown] => {
      const at = pointer + pointerStep(name);
      // ajv passes over it, and a careless assignment anywhere would set a prototype.
      if (name === '__proto__') this.#fault(at, 'is a name that is not allowed', 'rename it');
      if (keysArePatterns && !isPattern(name)) {
        this.#fault(at, 'is no regular expression', 'write it for ECMAScript, Unicode');
      }
      return [name, this.#schema(member, at)];
    });
    return Object.fromEntries(entries);
  }

  #list(value: unknown, pointer: string): unknown[] {
    if (!Array.isArray(value) || value.length === 0) {
      this.#fault(pointer, 'must be a list of schemas, not empty', 'give at least one schema');
      return [];
    }
    return value.map((member, index) => this.#schema(member, pointer + pointerStep(index)));
  }

  #fault(pointer: string, detail: string, mend: string): void {
    this.faults.push({ pointer, detail, mend });
  }
}

/** A schema rather than a map of parameters, where a parameter may well be called `type` or `properties`. */
function isSchema(parameters: Record<string, unknown>): boolean {
  const { type, properties } = parameters;
  if (typeof type === 'string' || Array.isArray(type) || typeof parameters.$ref === 'string')
    return true;
  if (['allOf', 'anyOf', 'oneOf'].some((key) => Array.isArray(parameters[key]))) return true;
  return (
    isObject(properties) && Object.values(properties).every((member) => typeof member !== 'string')
  );
}

/** The required ones of a map of parameters: as flagged, else all that are neither optional nor have a default. */
function requiredOf(parameters: Record<string, unknown>, flagged: string[]): string[] {
  const members = Object.entries(parameters).filter(
    (entry): entry is [string, Record<string, unknown>] => isObject(entry[1]),
  );
  if (members.some(([, member]) => typeof member.required === 'boolean')) return flagged;
  return members
    .filter(([, { type, optional, ...rest }]) => {
      const isOptional = optional === true || (typeof type === 'string' && isOptionalType(type));
      return !isOptional && !Object.hasOwn(rest, 'default');
    })
    .map(([name]) => name);
}
