import { followReference } from './mask-references.js';
import { inPlaceKeywords, isObject, keywordRoles, patternKeywords } from './mask-keywords.js';

type Schema = Record<string, unknown>;

/** Keywords by which a schema speaks of an object's members or a list's items. */
const partKeywords: readonly string[] = [
  ...'properties required dependentRequired dependentSchemas dependencies additionalProperties'.split(
    ' ',
  ),
  ...'unevaluatedProperties items prefixItems additionalItems unevaluatedItems contains'.split(' '),
  ...patternKeywords,
];

/** More places than this are not looked at beforehand. */
const maxPlaces = 1_000;

/**
 * The places of a tool's arguments, each with all schemas that apply to what stands there. They are made as arguments
 * lead to them, and each set of schemas makes one place, so that a schema may contain itself.
 */
export class Places {
  readonly masks: ReadonlyMap<string, string>;
  readonly #root: unknown;
  // Here and below, null: not made yet.
  #rootPlace: Place | undefined | null = null;
  #ids: Map<Schema, number> | undefined;
  #places: Map<string, Place> | undefined;

  /** @param masks masks by name; a name without one keeps itself */
  constructor(root: unknown, masks: ReadonlyMap<string, string>) {
    this.#root = root;
    this.masks = masks;
  }

  /** The place of all arguments. */
  get root(): Place | undefined {
    if (this.#rootPlace === null) this.#rootPlace = this.at([this.#root]);
    return this.#rootPlace;
  }

  /** The place that these schemas apply to; undefined if they say nothing of its parts: what is there is free. */
  at(schemas: readonly unknown[]): Place | undefined {
    if (schemas.length === 0) return undefined;
    const applied = new Set(schemas.filter(isObject));
    for (const schema of applied) for (const inner of this.#inPlace(schema)) applied.add(inner);
    const telling = [...applied].filter((schema) =>
      partKeywords.some((keyword) => Object.hasOwn(schema, keyword)),
    );
    if (telling.length === 0) return undefined;
    const key = telling
      .map((schema) => this.#id(schema))
      .toSorted((a, b) => a - b)
      .join();
    let place = (this.#places ??= new Map()).get(key);
    if (place === undefined) {
      place = new Place(telling, this);
      this.#places.set(key, place);
    }
    return place;
  }

  /** The schemas that apply to the same value: of each branch, as nobody knows yet which one will hold. */
  #inPlace(schema: Schema): Schema[] {
    return Object.entries(schema).flatMap(([keyword, value]) => {
      if (keyword === '$ref' && typeof value === 'string') {
        return [followReference(this.#root, value, this.masks).target].filter(isObject);
      }
      if (!inPlaceKeywords.has(keyword) || typeof value !== 'object' || value === null) return [];
      const isOne = keywordRoles.get(keyword) === 'schemas' && !Array.isArray(value);
      return (isOne ? [value] : Object.values(value)).filter(isObject);
    });
  }

  #id(schema: Schema): number {
    let id = (this.#ids ??= new Map()).get(schema);
    if (id === undefined) this.#ids.set(schema, (id = this.#ids.size));
    return id;
  }
}

/** What the schemas of one place say of the members of an object there, and of the items of a list. */
export class Place {
  /** Members that the schemas list, by their names and by their masks. */
  readonly byName = new Map<string, Member>();
  readonly byMask = new Map<string, Member>();
  readonly #schemas: readonly Schema[];
  readonly #places: Places;
  readonly #hasPatterns: boolean;
  #rest: Place | undefined | null = null;
  readonly #items = new Map<number, Place | undefined>();
  /** From this item on, all are alike. */
  readonly #prefix: number;

  constructor(schemas: readonly Schema[], places: Places) {
    this.#schemas = schemas;
    this.#places = places;
    this.#hasPatterns = schemas.some((schema) => isObject(schema.patternProperties));
    this.#prefix = schemas.reduce((most, schema) => Math.max(most, prefixOf(schema).length), 0);
    for (const name of schemas.flatMap(listedNames)) {
      if (this.byName.has(name)) continue;
      const member = new Member(name, places.masks.get(name) ?? name, this);
      this.byName.set(name, member);
      this.byMask.set(member.mask, member);
    }
  }

  /** Whether a schema here judges names by other means than listing them. */
  get judgesNames(): boolean {
    return this.#schemas.some((schema) =>
      patternKeywords.some((key) => Object.hasOwn(schema, key)),
    );
  }

  /** The place of a member that the schemas do not list. */
  rest(name: string): Place | undefined {
    if (this.#hasPatterns) return this.memberPlace(name);
    if (this.#rest === null) this.#rest = this.memberPlace(name);
    return this.#rest;
  }

  item(index: number): Place | undefined {
    const at = Math.min(index, this.#prefix);
    if (this.#items.has(at)) return this.#items.get(at);
    const place = this.#places.at(this.#schemas.flatMap((schema) => itemSchemas(schema, at)));
    this.#items.set(at, place);
    return place;
  }

  /** @param name undefined: any that the schemas do not list */
  memberPlace(name: string | undefined): Place | undefined {
    return this.#places.at(this.#schemas.flatMap((schema) => memberSchemas(schema, name)));
  }

  /** All places one step from here, and for members that are not listed one that covers all of theirs. */
  next(): (Place | undefined)[] {
    const members = Array.from(this.byName.values(), (member) => member.place);
    const items = Array.from({ length: this.#prefix + 1 }, (_, index) => this.item(index));
    return [...members, ...items, this.memberPlace(undefined)];
  }
}

export class Member {
  readonly name: string;
  readonly mask: string;
  readonly #parent: Place;
  #place: Place | undefined | null = null;

  constructor(name: string, mask: string, parent: Place) {
    this.name = name;
    this.mask = mask;
    this.#parent = parent;
  }

  /** The place of the member's value. */
  get place(): Place | undefined {
    if (this.#place === null) this.#place = this.#parent.memberPlace(this.name);
    return this.#place;
  }
}

/**
 * The names that stand where a pattern or `propertyNames` judges names as well: under another name they might be judged
 * otherwise, so they have to be kept. All names, if there are too many places to look at.
 */
export function judgedNames(root: unknown, names: ReadonlySet<string>): ReadonlySet<string> {
  const judged = new Set<string>();
  const places = new Set([new Places(root, new Map()).root]);
  for (const place of places) {
    if (places.size > maxPlaces) return names;
    if (place?.judgesNames === true) for (const name of place.byName.keys()) judged.add(name);
    for (const next of place?.next() ?? []) places.add(next);
  }
  return judged;
}

/** The names that a schema lists itself, in any keyword. */
function listedNames(schema: Schema): string[] {
  return Object.entries(schema).flatMap(([keyword, value]) => {
    const role = keywordRoles.get(keyword);
    if (role === 'names') return strings(value);
    if (!isObject(value)) return [];
    if (role === 'properties') return Object.keys(value);
    if (role !== 'dependents') return [];
    return Object.entries(value).flatMap(([name, of]) => [name, ...strings(of)]);
  });
}

/** The schemas within one schema that apply, or may apply, to the value of a member. */
function memberSchemas(schema: Schema, name: string | undefined): unknown[] {
  const { properties, patternProperties, additionalProperties, unevaluatedProperties } = schema;
  const own = name !== undefined && isObject(properties) && Object.hasOwn(properties, name);
  const matching = Object.entries(isObject(patternProperties) ? patternProperties : {})
    .map(([pattern, inner]) => ({
      inner,
      matches: name === undefined ? 'perhaps' : matches(pattern, name),
    }))
    .filter((match) => match.matches !== 'no');
  const isEvaluated = own || matching.some((match) => match.matches === 'yes');
  return [
    ...(own ? [properties[name]] : []),
    ...matching.map((match) => match.inner),
    ...(isEvaluated ? [] : [additionalProperties, unevaluatedProperties]),
  ];
}

function itemSchemas(schema: Schema, index: number): unknown[] {
  const prefix = prefixOf(schema);
  const rest = Array.isArray(schema.items) ? schema.additionalItems : schema.items;
  return [index < prefix.length ? prefix[index] : rest, schema.contains, schema.unevaluatedItems];
}

/** Older drafts write `prefixItems` as a list in `items`. */
function prefixOf({ prefixItems, items }: Schema): unknown[] {
  if (Array.isArray(prefixItems)) return prefixItems;
  return Array.isArray(items) ? items : [];
}

/**
 * Whether a pattern matches a name. Patterns are somebody else's text: one that could take long (`(a+)+$`), or that is
 * no regular expression, is not tried.
 */
function matches(pattern: string, name: string): 'yes' | 'no' | 'perhaps' {
  const isQuick = /^[^()|*+?{}\\]*[*+?]?\$?$/.test(pattern) && name.length <= 128;
  if (!isQuick) return 'perhaps';
  try {
    return new RegExp(pattern, 'u').test(name) ? 'yes' : 'no';
  } catch {
    return 'perhaps';
  }
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
