import type { JsonSchema } from '#libs/contracts';
import { isObject, type KeywordRole, keywordRoles, setMember } from './mask-keywords.js';
import { Places } from './mask-places.js';
import { followReference } from './mask-references.js';
import { maskText, type MentionedNames } from './mask-texts.js';
import { masking, renameMembers } from './mask-values.js';

/**
 * A schema under masks: wherever it lists parameters or refers through them, in the keys of `default` and `examples`
 * (where the schema lists them), and in mentions within `description` and `title` (see {@link maskText}). Nothing else
 * changes, neither the order nor `enum` and `const`. Parts without a name are shared with the original.
 *
 * @param names those that texts may mention
 */
export function maskSchema(root: JsonSchema, places: Places, names: MentionedNames): JsonSchema {
  return new SchemaMasker(root, places, names).schema(root) as JsonSchema;
}

class SchemaMasker {
  readonly #root: JsonSchema;
  readonly #places: Places;
  readonly #names: MentionedNames;

  constructor(root: JsonSchema, places: Places, names: MentionedNames) {
    this.#root = root;
    this.#places = places;
    this.#names = names;
  }

  /** @param schema a schema, or a list of them */
  schema(schema: unknown): unknown {
    if (typeof schema !== 'object' || schema === null) return schema;
    if (Array.isArray(schema)) return schema.map((member) => this.schema(member));
    const members = schema as JsonSchema;
    let masked = members;
    for (const keyword in members) {
      const value = members[keyword];
      if (typeof value !== 'object' && typeof value !== 'string') continue;
      const role = keywordRoles.get(keyword);
      if (role === undefined || role === 'literal') continue;
      const changed = this.#keyword(role, value, members);
      if (changed === value) continue;
      if (masked === members) masked = { ...members };
      masked[keyword] = changed;
    }
    return masked;
  }

  #keyword(role: Exclude<KeywordRole, 'literal'>, value: unknown, schema: JsonSchema): unknown {
    switch (role) {
      case 'properties':
      case 'dependents':
        return this.#map(value, (name) => this.#mask(name));
      case 'definitions':
        return this.#map(value, (name) => name);
      case 'schemas':
        return this.schema(value);
      case 'names':
        return this.#nameList(value);
      case 'discriminator':
        return this.#discriminator(value);
      case 'reference':
        if (typeof value !== 'string') return value;
        return followReference(this.#root, value, this.#places.masks).masked;
      case 'text':
        if (typeof value !== 'string') return value;
        return maskText(value, this.#names, schema);
      case 'sample':
        return this.#sample(value, schema);
      case 'samples':
        return Array.isArray(value) ? value.map((sample) => this.#sample(sample, schema)) : value;
    }
  }

  #map(map: unknown, rename: (name: string) => string): unknown {
    if (!isObject(map)) return map;
    const masked: Record<string, unknown> = {};
    for (const name in map) {
      const member = map[name];
      const isNames = Array.isArray(member);
      setMember(masked, rename(name), isNames ? this.#nameList(member) : this.schema(member));
    }
    return masked;
  }

  #nameList(value: unknown): unknown {
    if (!Array.isArray(value)) return value;
    return value.map((name: unknown) => (typeof name === 'string' ? this.#mask(name) : name));
  }

  #discriminator(value: unknown): unknown {
    if (!isObject(value) || typeof value.propertyName !== 'string') return value;
    return { ...value, propertyName: this.#mask(value.propertyName) };
  }

  #sample(value: unknown, schema: JsonSchema): unknown {
    if (typeof value !== 'object' || value === null) return value;
    return renameMembers(value, this.#places.at([schema]), masking);
  }

  #mask(name: string): string {
    return this.#places.masks.get(name) ?? name;
  }
}
