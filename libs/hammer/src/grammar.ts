import type { JsonSchema, ToolDefinition } from '#libs/contracts';
import { isObject, writeJson } from './json.js';

/**
 * The text forms that do not depend on a schema. Strings are unbounded: the caller's token limit ends a model that
 * runs on, and a cut text does not parse. Digits are bounded so that every number is finite and every integer is exact
 * in a double.
 */
const terminals = [
  String.raw`string ::= "\"" char* "\""`,
  String.raw`char ::= [^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})`,
  String.raw`integer ::= "-"? ("0" | [1-9] [0-9]{0,14})`,
  String.raw`number ::= integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?`,
  'boolean ::= "true" | "false"',
  'null ::= "null"',
  'value ::= string | number | boolean | null | array | object',
  'array ::= "[" (value (", " value)*)? "]"',
  'object ::= "{" (string ": " value (", " string ": " value)*)? "}"',
];

/** Longest list length that is spelled out; a longer bound is left to validation, as each step costs a rule. */
const maxRepetition = 64;

/**
 * Compiles tools to a GBNF grammar for the answer of a Hammer model: a JSON list of 0 to `maxCalls` calls
 * `{"name": "…", "arguments": {…}}` on one line, separated by `, ` and `: `.
 *
 * Every text of the grammar is JSON, names one of the tools, and gives arguments in the order of the schema, with all
 * required ones. What the grammar does not express (formats, ranges, patterns, `allOf`, …) is left open, never
 * tightened: an answer still has to be validated against the schema.
 */
export function compileGrammar(
  tools: readonly ToolDefinition[],
  { maxCalls }: { maxCalls: number },
): string {
  if (tools.length === 0 || maxCalls < 1) return 'root ::= "[]"';
  const rules = [
    `root ::= "[" (call (", " call){0,${maxCalls - 1}})? "]"`,
    `call ::= ${tools.map((_, index) => `tool${index}`).join(' | ')}`,
  ];
  tools.forEach((tool, index) => {
    const schemas = new SchemaRules(`tool${index}`, tool.parameters, rules);
    const head = `{"name": ${JSON.stringify(tool.name)}, "arguments": `;
    // Before its rules are added: a reader meets the tool first, then its parts.
    const position = rules.push('') - 1;
    rules[position] = `tool${index} ::= ${literal(head)} ${schemas.rule(tool.parameters)} "}"`;
  });
  return [...rules, ...terminals].join('\n');
}

/** Quotes text for GBNF. JSON has already escaped all control characters. */
function literal(text: string): string {
  return `"${text.replace(/[\\"]/g, String.raw`\$&`)}"`;
}

/** Adds the rules for the schemas of one tool to `rules`, under names that begin with `prefix`. */
class SchemaRules {
  /** Rule name by local reference: lets a schema contain itself. */
  readonly #references = new Map<string, string>();
  readonly #prefix: string;
  readonly #root: JsonSchema;
  readonly #rules: string[];
  #count = 0;

  constructor(prefix: string, root: JsonSchema, rules: string[]) {
    this.#prefix = prefix;
    this.#root = root;
    this.#rules = rules;
  }

  /**
   * An expression for the values of a schema. `open` holds the references that were followed since the last list or
   * object, to stop one that leads to itself without consuming any text.
   */
  rule(schema: unknown, open: ReadonlySet<string> = new Set()): string {
    if (!isObject(schema)) return 'value';
    if (typeof schema.$ref === 'string') return this.#reference(schema.$ref, open);
    if ('const' in schema) return literal(writeJson(schema.const));
    if (Array.isArray(schema.enum) && schema.enum.length > 0) {
      return choice(schema.enum.map((member) => literal(writeJson(member))));
    }
    const alternatives = schema.anyOf ?? schema.oneOf;
    if (Array.isArray(alternatives) && alternatives.length > 0) {
      return choice(alternatives.map((alternative) => this.rule(alternative, open)));
    }
    const types = Array.isArray(schema.type) ? schema.type : [schema.type];
    return choice(types.map((type) => this.#typed(type, schema)));
  }

  #typed(type: unknown, schema: JsonSchema): string {
    switch (type) {
      case 'string':
      case 'integer':
      case 'number':
      case 'boolean':
      case 'null':
        return type;
      case 'array':
        return this.#list(schema);
      case 'object':
        return this.#object(schema);
      default:
        return 'value';
    }
  }

  #list(schema: JsonSchema): string {
    const min = bound(schema.minItems) ?? 0;
    const max = bound(schema.maxItems);
    if (max === 0) return '"[]"';
    const item = this.rule(schema.items);
    const more = `(", " ${item}){${Math.max(min - 1, 0)},${max === undefined ? '' : max - 1}}`;
    return this.#add(min > 0 ? `"[" ${item} ${more} "]"` : `"[" (${item} ${more})? "]"`);
  }

  /**
   * Properties in the order of the schema, each optional one with a way past it. Two rules a property: before anything
   * was written (no comma due) and after.
   */
  #object(schema: JsonSchema): string {
    const properties = Object.entries(isObject(schema.properties) ? schema.properties : {});
    if (properties.length === 0) {
      return isObject(schema.properties) || schema.additionalProperties === false
        ? '"{}"'
        : this.#map(schema.additionalProperties);
    }
    const required = new Set(Array.isArray(schema.required) ? schema.required : []);
    let first = '"}"';
    let later = '"}"';
    for (const [key, property] of properties.toReversed()) {
      const member = `${literal(`${JSON.stringify(key)}: `)} ${this.rule(property)} ${later}`;
      const isRequired = required.has(key);
      first = this.#add(isRequired ? member : `${member} | ${first}`);
      later = this.#add(isRequired ? `", " ${member}` : `", " ${member} | ${later}`);
    }
    return this.#add(`"{" ${first}`);
  }

  #map(values: unknown): string {
    const member = `string ": " ${this.rule(values)}`;
    return this.#add(`"{" (${member} (", " ${member})*)? "}"`);
  }

  #reference(pointer: string, open: ReadonlySet<string>): string {
    const known = this.#references.get(pointer);
    if (open.has(pointer)) return 'value';
    if (known !== undefined) return known;
    const target = resolve(this.#root, pointer);
    if (target === undefined) return 'value';
    const name = this.#name();
    this.#references.set(pointer, name);
    const position = this.#rules.push('') - 1;
    this.#rules[position] = `${name} ::= ${this.rule(target, new Set([...open, pointer]))}`;
    return name;
  }

  #add(body: string): string {
    const name = this.#name();
    this.#rules.push(`${name} ::= ${body}`);
    return name;
  }

  #name(): string {
    return `${this.#prefix}-${this.#count++}`;
  }
}

function choice(alternatives: readonly string[]): string {
  const distinct = [...new Set(alternatives)];
  return distinct.length === 1 ? distinct.join('') : `(${distinct.join(' | ')})`;
}

function bound(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0
    ? Math.min(value, maxRepetition)
    : undefined;
}

/** The schema at a local reference such as `#/$defs/Address`, or undefined. */
function resolve(root: JsonSchema, pointer: string): unknown {
  if (pointer === '#') return root;
  if (!pointer.startsWith('#/')) return undefined;
  let node: unknown = root;
  for (const part of pointer.slice(2).split('/')) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) return undefined;
    node = (node as Record<string, unknown>)[key];
  }
  return node;
}
