import type { Fault, JsonSchema } from '#libs/contracts';
import { isObject } from './json.js';

/** Keywords whose schemas apply to the very value that their own schema applies to. */
const inPlace = new Set([
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'dependentSchemas',
]);

/** The `$ref`s of one tool's parameters, collected while they are read and judged when all of it is. */
export class LocalReferences {
  readonly #references: { reference: string; pointer: string }[] = [];
  readonly #schemas = new Set<unknown>();

  add(reference: string, pointer: string): void {
    this.#references.push({ reference, pointer });
  }

  /** Allows references to a schema that was read: one to anything else would lead to what nobody checked. */
  addSchema(schema: JsonSchema): void {
    this.#schemas.add(schema);
  }

  /** Names references that lead out of the tool, nowhere, or back to themselves without a step into the value. */
  faults(root: JsonSchema): Fault[] {
    const endless = new EndlessSchemas(root);
    return this.#references.flatMap(({ reference, pointer }) => {
      if (pointerSteps(reference) === undefined) {
        const detail = 'only references inside the tool are followed';
        return { pointer, detail, mend: 'copy the schema to $defs and refer to "#/$defs/Name"' };
      }
      const target = resolve(root, reference);
      if (!this.#schemas.has(target) && typeof target !== 'boolean') {
        const detail = `there is no schema at ${reference.slice(0, 80)}`;
        return { pointer, detail, mend: 'refer to a schema under #/$defs' };
      }
      if (endless.has(target)) {
        const detail = `${reference.slice(0, 80)} leads back to itself`;
        return { pointer, detail, mend: 'let it recur inside a property or an item' };
      }
      return [];
    });
  }
}

/** The schemas that no value can be checked against, as they lead back to themselves with the same value. */
class EndlessSchemas {
  readonly #root: JsonSchema;
  readonly #open = new Set<unknown>();
  readonly #known = new Map<unknown, boolean>();

  constructor(root: JsonSchema) {
    this.#root = root;
  }

  has(schema: unknown): boolean {
    if (!isObject(schema)) return false;
    if (this.#open.has(schema)) return true;
    const known = this.#known.get(schema);
    if (known !== undefined) return known;
    this.#open.add(schema);
    const endless = this.#next(schema).some((next) => this.has(next));
    this.#open.delete(schema);
    this.#known.set(schema, endless);
    return endless;
  }

  #next(schema: JsonSchema): unknown[] {
    return Object.entries(schema).flatMap(([key, member]) => {
      if (key === '$ref' && typeof member === 'string') return [resolve(this.#root, member)];
      if (!inPlace.has(key)) return [];
      return isObject(member) && key !== 'dependentSchemas'
        ? [member]
        : Object.values(member ?? {});
    });
  }
}

function resolve(root: JsonSchema, reference: string): unknown {
  let node: unknown = root;
  for (const step of pointerSteps(reference) ?? []) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, step)) return undefined;
    node = (node as Record<string, unknown>)[step];
  }
  return node;
}

/** The steps of a reference such as `#/$defs/Address`; undefined if it is no JSON Pointer into its own document. */
function pointerSteps(reference: string): string[] | undefined {
  if (reference === '#') return [];
  if (!reference.startsWith('#/')) return undefined;
  try {
    return reference
      .slice(2)
      .split('/')
      .map((step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'));
  } catch {
    return undefined; // a bad percent escape
  }
}
