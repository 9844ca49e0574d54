import type { JsonSchema, ToolDefinition } from '#libs/contracts';
import { isObject } from '../json.js';
import { choice, type GbnfRules, jsonLiteral, list } from './gbnf-rules.js';
import {
  allTypes,
  assertions,
  isOfTypes,
  otherProperties,
  pointersIn,
  pointerStep,
  resolve,
  type TypeName,
  typesOf,
  valuesOf,
} from './json-schema.js';
import { areDisjoint, mergeSchemas } from './merge-schemas.js';
import { countsOf, rangeKeywords, writeInteger, writeText, writeValues } from './write-scalar.js';
import { type Member, writeObject } from './write-object.js';

/** What no grammar is written for, besides what `compileConstraint` says of single types. */
const neverHeld = new Set(
  [
    '$dynamicRef not if then else pattern format multipleOf',
    'prefixItems uniqueItems contains minContains maxContains unevaluatedItems',
    'patternProperties propertyNames minProperties maxProperties',
    'dependentRequired dependentSchemas unevaluatedProperties',
  ].flatMap((line) => line.split(' ')),
);
/** Most alternatives of `oneOf` that are compared, each with each. */
const maxCompared = 64;

/** What it takes to put a schema together and write it, besides what counts in its parts. */
const mergeCost = 128;
/** What a member of an object takes besides its name, which may be written twice. */
const memberCost = 64;
/** Schemas being written one in another: a chain of references may be longer than the stack. */
const maxDepth = 200;

/** Called with each keyword that the grammar does not hold, once. */
export type OnWidened = (pointer: string, keyword: string) => void;

/** Writes the grammar of one tool's arguments. What it holds is told at `compileConstraint`. */
export class SchemaGrammar {
  readonly #rules: GbnfRules;
  readonly #root: JsonSchema;
  readonly #onWidened: OnWidened;
  readonly #pointers: ReadonlyMap<unknown, string>;
  /** What a schema that was made here was made of. */
  readonly #sources = new Map<JsonSchema, readonly JsonSchema[]>();
  readonly #expressions = new Map<JsonSchema, string>();
  readonly #targets = new Map<string, unknown>();
  /** What was reported of a schema: keywords and steps to properties. */
  readonly #noted = new Map<JsonSchema, Set<string>>();
  /** Schemas that are being written, with the name of their rule once they were found to contain themselves. */
  readonly #open = new Map<JsonSchema, string | undefined>();

  #depth = 0;

  constructor(tool: ToolDefinition, rules: GbnfRules, onWidened: OnWidened) {
    this.#root = tool.parameters;
    this.#rules = rules;
    this.#onWidened = onWidened;
    this.#pointers = pointersIn(tool.parameters);
  }

  /** An expression for the tool's arguments: an object, whatever else the schema allows. */
  arguments(): string {
    const root = this.#root;
    if (typesOf(root)?.join() === 'object') return this.#expression(root);
    const merged = this.#merge([root, { type: 'object' }]);
    return merged === undefined ? this.anyArguments() : this.#inPlace(merged, [root], new Set());
  }

  /** An expression for any object. */
  anyArguments(): string {
    const open = { ...this.#root, type: 'object' };
    this.#sources.set(open, [this.#root]);
    return this.#widen(open);
  }

  /**
   * An expression for the values of a schema. `trail` holds the schemas that apply to the same value: one that leads
   * back to itself without any text between would make the grammar endless.
   */
  #expression(schema: unknown, trail: ReadonlySet<JsonSchema> = new Set()): string {
    if (!isObject(schema)) return 'value';
    const known = this.#expressions.get(schema);
    if (known !== undefined) return known;
    if (this.#open.has(schema)) {
      const name = this.#open.get(schema) ?? this.#rules.reserve();
      this.#open.set(schema, name);
      return name;
    }
    this.#open.set(schema, undefined);
    const body = this.#body(schema, new Set([...trail, schema]));
    const name = this.#open.get(schema);
    this.#open.delete(schema);
    if (name !== undefined) this.#rules.define(name, body);
    const expression = name ?? this.#rules.share(body);
    this.#expressions.set(schema, expression);
    return expression;
  }

  /** The same for a schema that was made of others, for the same value. */
  #inPlace(
    schema: JsonSchema,
    sources: readonly JsonSchema[],
    trail: ReadonlySet<JsonSchema>,
  ): string {
    const given = sources.flatMap((source) => this.#sourcesOf(source));
    this.#sources.set(schema, given);
    this.#rules.spend(mergeCost + given.length + trail.size);
    return this.#body(schema, trail);
  }

  #sourcesOf(schema: JsonSchema): readonly JsonSchema[] {
    return this.#sources.get(schema) ?? [schema];
  }

  /** One schema for the same value; undefined also once all work is spent. */
  #merge(schemas: readonly JsonSchema[]): JsonSchema | undefined {
    if (!this.#rules.hasRoomFor(0)) return undefined;
    return mergeSchemas(schemas, (steps) => this.#rules.spend(steps));
  }

  /** What a reference leads to. */
  #resolve(pointer: string): unknown {
    if (!this.#targets.has(pointer)) this.#targets.set(pointer, resolve(this.#root, pointer));
    return this.#targets.get(pointer);
  }

  #body(schema: JsonSchema, trail: ReadonlySet<JsonSchema>): string {
    if (this.#depth >= maxDepth || !this.#rules.hasRoomFor(0)) return this.#widen(schema);
    this.#depth++;
    const body = this.#composed(schema, trail);
    this.#depth--;
    return body;
  }

  #composed(schema: JsonSchema, trail: ReadonlySet<JsonSchema>): string {
    if (typeof schema.$ref === 'string') return this.#reference(schema, schema.$ref, trail);
    if (Array.isArray(schema.allOf)) return this.#conjunction(schema, schema.allOf, trail);
    for (const keyword of ['anyOf', 'oneOf'] as const) {
      const members = schema[keyword];
      if (Array.isArray(members)) return this.#alternatives(schema, keyword, members, trail);
    }
    const types = typesOf(schema);
    if (types === undefined) return this.#widen(schema);
    const values = valuesOf(schema);
    if (values !== undefined) return this.#values(schema, values, types);
    const parts = types.map((type) => this.#typed(type, schema));
    return parts.join() === allTypes.join() ? 'value' : choice(parts);
  }

  #reference(schema: JsonSchema, pointer: string, trail: ReadonlySet<JsonSchema>): string {
    const { $ref: _, ...rest } = schema;
    const target = this.#resolve(pointer);
    if (!isObject(target) || trail.has(target)) return this.#without('$ref', schema, trail);
    if (assertions(rest).length === 0) return this.#expression(target, trail);
    const merged = this.#merge([rest, target]);
    return merged === undefined
      ? this.#without('$ref', schema, trail)
      : this.#inPlace(merged, [schema, target], new Set([...trail, target]));
  }

  #conjunction(
    schema: JsonSchema,
    members: readonly unknown[],
    trail: ReadonlySet<JsonSchema>,
  ): string {
    const { allOf: _, ...rest } = schema;
    const schemas = members.filter(isObject);
    const isMergeable = members.every((member) => member === true || isObject(member));
    const merged = isMergeable ? this.#merge([rest, ...schemas]) : undefined;
    return merged === undefined
      ? this.#without('allOf', schema, trail)
      : this.#inPlace(merged, [schema, ...schemas], trail);
  }

  #alternatives(
    schema: JsonSchema,
    keyword: 'anyOf' | 'oneOf',
    members: readonly unknown[],
    trail: ReadonlySet<JsonSchema>,
  ): string {
    const { [keyword]: _, ...rest } = schema;
    const isAlone = assertions(rest).length === 0;
    const parts: string[] = [];
    for (const member of members.filter((each) => each !== false)) {
      const alternative = isObject(member) ? member : {};
      if (isAlone) parts.push(this.#expression(member, trail));
      else {
        const merged = this.#merge([rest, alternative]);
        if (merged === undefined) return this.#without(keyword, schema, trail);
        parts.push(this.#rules.share(this.#inPlace(merged, [schema, alternative], trail)));
      }
    }
    if (parts.length === 0) return this.#without(keyword, schema, trail);
    if (keyword === 'oneOf' && !this.#excludeEachOther(members)) this.#note(schema, keyword);
    return choice(parts);
  }

  #excludeEachOther(members: readonly unknown[]): boolean {
    if (members.length > maxCompared) return false;
    const schemas = members.map((member) =>
      isObject(member) && typeof member.$ref === 'string' ? this.#resolve(member.$ref) : member,
    );
    const spend = (steps: number): void => this.#rules.spend(steps);
    return schemas.every((schema, at) =>
      schemas
        .slice(at + 1)
        .every((other) => this.#rules.hasRoomFor(0) && areDisjoint(schema, other, spend)),
    );
  }

  /** Leaves a keyword out. What it says may name more properties, so an object is no longer closed. */
  #without(keyword: string, schema: JsonSchema, trail: ReadonlySet<JsonSchema>): string {
    this.#note(schema, keyword);
    const { [keyword]: _, ...rest } = schema;
    const open = { ...rest, additionalProperties: rest.additionalProperties ?? true };
    return this.#inPlace(open, [schema], trail);
  }

  #values(schema: JsonSchema, values: readonly unknown[], types: readonly TypeName[]): string {
    const fitting = values.filter((value) => isOfTypes(value, types));
    if (fitting.length === 0) return this.#widen(schema);
    const present = types.filter((type) => fitting.some((value) => isOfTypes(value, [type])));
    const held = ['type', Object.hasOwn(schema, 'const') ? 'const' : 'enum'];
    for (const keyword of assertions(schema, present)) {
      if (!held.includes(keyword)) this.#note(schema, keyword);
    }
    const text = writeValues(fitting, types);
    this.#rules.spend(text.length);
    return this.#rules.hasRoomFor(text.length) ? text : this.#widen(schema);
  }

  #typed(type: TypeName, schema: JsonSchema): string {
    const note = this.#noting(schema);
    for (const keyword of assertions(schema, [type])) if (neverHeld.has(keyword)) note(keyword);
    switch (type) {
      case 'string':
        return writeText(schema, note);
      case 'integer':
        return writeInteger(schema, note);
      case 'number':
        for (const keyword of rangeKeywords) note(keyword);
        return 'number';
      case 'array':
        return this.#list(schema);
      case 'object':
        return this.#object(schema);
      case 'boolean':
      case 'null':
        return type;
    }
  }

  #list(schema: JsonSchema): string {
    const [min, max] = countsOf(schema, 'minItems', 'maxItems', this.#noting(schema));
    const isTuple = schema.prefixItems !== undefined;
    if (isTuple) this.#note(schema, 'items');
    const item = isTuple ? 'value' : this.#part(schema, 'items', schema.items);
    return item === 'value' && min === 0 && max === Infinity ? 'array' : list(item, min, max);
  }

  #object(schema: JsonSchema): string {
    const properties = isObject(schema.properties) ? schema.properties : {};
    const required = new Set(Array.isArray(schema.required) ? schema.required.map(String) : []);
    const names = [...new Set([...Object.keys(properties), ...required])];
    const size = names.reduce((sum, name) => sum + 2 * jsonLiteral(name).length + memberCost, 0);
    this.#rules.spend(size);
    if (!this.#rules.hasRoomFor(size)) return this.#anyObject(schema);
    this.#rules.charge(size); // held free while the members are written
    const others = otherProperties(schema, this.#sourcesOf(schema)[0] === this.#root);
    const isClosed = others === undefined && schema.additionalProperties === false;
    const value = this.#part(schema, 'additionalProperties', others);
    const members = names.flatMap((name): Member[] => {
      const isRequired = required.has(name);
      if (!Object.hasOwn(properties, name)) {
        if (isClosed) this.#note(schema, 'required');
        return [{ name, value, isRequired }];
      }
      if (properties[name] === false && !isRequired) return [];
      return [{ name, value: this.#property(schema, name, properties[name]), isRequired }];
    });
    this.#rules.charge(-size);
    if (others === undefined) return writeObject(members, undefined, this.#rules);
    if (names.length === 0 && value === 'value') return 'object';
    // They may have the names of the others.
    if (names.length > 0) this.#note(schema, 'additionalProperties');
    return writeObject(members, value, this.#rules);
  }

  #anyObject(schema: JsonSchema): string {
    for (const keyword of assertions(schema, ['object'])) {
      if (keyword !== 'type') this.#note(schema, keyword);
    }
    return 'object';
  }

  #property(schema: JsonSchema, name: string, property: unknown): string {
    if (isObject(property)) return this.#expression(property);
    if (property !== true) this.#note(schema, 'properties', name);
    return 'value';
  }

  /** An expression for what is inside a value: `false` and what is no schema are not held. */
  #part(schema: JsonSchema, keyword: string, part: unknown): string {
    if (isObject(part)) return this.#expression(part);
    if (part !== true && part !== undefined) this.#note(schema, keyword);
    return 'value';
  }

  /** Any values of the types, and a note of all that is not held. */
  #widen(schema: JsonSchema): string {
    const types = typesOf(schema);
    for (const keyword of assertions(schema, types)) {
      if (keyword !== 'type' || types === undefined) this.#note(schema, keyword);
    }
    return types === undefined || schema.type === undefined ? 'value' : choice(types);
  }

  #noting(schema: JsonSchema): (keyword: string) => void {
    return (keyword) => this.#note(schema, keyword);
  }

  /** @param name of the one property that is not held */
  #note(schema: JsonSchema, keyword: string, name?: string): void {
    const sources = this.#sourcesOf(schema);
    this.#rules.spend(sources.length);
    const path = name === undefined ? '' : `/${keyword}${pointerStep(name)}`;
    for (const source of sources) {
      const pointer = this.#pointers.get(source);
      if (pointer === undefined || !Object.hasOwn(source, keyword)) continue;
      if (name !== undefined && !Object.hasOwn(source[keyword] ?? {}, name)) continue;
      const noted = this.#noted.get(source) ?? new Set();
      this.#noted.set(source, noted);
      if (!noted.has(path || keyword)) this.#onWidened(pointer + path, keyword);
      noted.add(path || keyword);
    }
  }
}
