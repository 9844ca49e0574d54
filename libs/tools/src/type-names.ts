import type { JsonSchema } from '#libs/contracts';

/** Type names of JSON Schema, Python, Java and JavaScript (lower case) as JSON Schema has them; '' allows anything. */
const typeNames = new Map(
  Object.entries({
    string: 'string str text char character date datetime',
    integer: 'integer int long short byte bigint biginteger',
    number: 'number float double decimal bigdecimal',
    boolean: 'boolean bool',
    array: 'array list tuple set sequence iterable arraylist linkedlist queue stack hashset',
    object: 'object dict dictionary map mapping hashmap hashtable',
    null: 'null none nonetype',
    '': 'any callable',
  }).flatMap(([type, names]) => names.split(' ').map((name) => [name, type])),
);

/** Nested type arguments that are read, such as the two of `List[List[int]]`. */
const maxArguments = 8;

/** Whether a type name says that its parameter may be left out, such as `str, optional` or `Optional[int]`. */
export function isOptionalType(name: string): boolean {
  return /,\s*optional\b|^\s*(?:typing\.)?optional\s*\[/i.test(name);
}

/**
 * The schema that a type name stands for: `List[int]`, `list(str)`, `String[]`, `ArrayList<Integer>`,
 * `Dict[str, float]`, `Union[int, str]`, `int | None`, `str, optional`, `float` …
 *
 * @returns keywords to put in the name's place (none for `any`), or undefined for an unknown name.
 */
export function typeSchema(name: string, depth = 0): JsonSchema | undefined {
  if (depth > maxArguments) return undefined;
  const text = name.replace(/,\s*(?:optional|default)\b.*$/is, '').trim();
  const alternatives = split(text, '|');
  if (alternatives.length > 1) return union(alternatives, depth);
  if (text.endsWith('[]')) return listOf([text.slice(0, -2)], depth);

  const generic = /^([\w.]+)\s*(?:\[(.*)\]|\((.*)\)|<(.*)>)$/s.exec(text);
  const base = (generic?.[1] ?? text)
    .toLowerCase()
    .replace(/^(?:typing|java\.util|java\.lang)\./, '');
  const members = split(generic?.[2] ?? generic?.[3] ?? generic?.[4] ?? '', ',');
  if (base === 'optional') return union([...members, 'null'], depth);
  if (base === 'union') return union(members, depth);

  const type = typeNames.get(base);
  if (type === undefined) return undefined;
  if (type === '') return {};
  if (type === 'array' && generic !== null) return listOf(members, depth);
  if (type === 'object' && generic !== null) return mapOf(members, depth);
  return { type };
}

/** A list; `Tuple[int, str]` holds any of its members' types, as its places have none of their own in a name. */
function listOf(members: string[], depth: number): JsonSchema | undefined {
  const items = union(
    members.filter((member) => member !== '...'),
    depth,
  );
  if (items === undefined) return undefined;
  return Object.keys(items).length === 0 ? { type: 'array' } : { type: 'array', items };
}

function mapOf(members: string[], depth: number): JsonSchema | undefined {
  const values = typeSchema(members[1] ?? 'any', depth + 1);
  if (values === undefined) return undefined;
  return Object.keys(values).length === 0
    ? { type: 'object' }
    : { type: 'object', additionalProperties: values };
}

function union(names: string[], depth: number): JsonSchema | undefined {
  const schemas = new Map<string, JsonSchema>();
  for (const name of names) {
    const schema = typeSchema(name, depth + 1);
    if (schema === undefined) return undefined;
    schemas.set(JSON.stringify(schema), schema);
  }
  const distinct = [...schemas.values()];
  if (distinct.some((schema) => Object.keys(schema).length === 0)) return {};
  if (distinct.length <= 1) return distinct[0] ?? {};
  return distinct.every((schema) => Object.keys(schema).length === 1)
    ? { type: distinct.map((schema) => schema.type) }
    : { anyOf: distinct };
}

/** Splits at a separator outside all brackets; trims; empty text has no parts. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const character of text) {
    if ('[(<'.includes(character)) depth++;
    if ('])>'.includes(character)) depth--;
    if (character === separator && depth === 0) {
      parts.push(part.trim());
      part = '';
    } else {
      part += character;
    }
  }
  if (text.trim() !== '') parts.push(part.trim());
  return parts;
}
