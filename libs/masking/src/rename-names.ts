/**
 * Ways to write names, and `misleading`: each name belongs to another of the same list, so that names say the wrong thing
 * and descriptions the right one.
 */
export const NAMING_STYLES = ['camel', 'pascal', 'snake', 'kebab', 'misleading'] as const;
export type NamingStyle = (typeof NAMING_STYLES)[number];

/** What stands between two small letters and capitals, or is no letter and no digit. */
const gap = /(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|[^\p{L}\p{M}\p{N}]+/u;

const writers: Readonly<
  Record<Exclude<NamingStyle, 'misleading'>, (words: readonly string[]) => string>
> = {
  camel: ([first = '', ...rest]) => first + rest.map(capitalise).join(''),
  pascal: (words) => words.map(capitalise).join(''),
  snake: (words) => words.join('_'),
  kebab: (words) => words.join('-'),
};

/**
 * New names for a list of distinct ones. Two that become the same are told apart by a number (`getUser`, `getUser2`); a
 * name without letters and digits stays, as does a single one that was to mislead.
 *
 * The result is a permutation: a name that is new to the list and not itself renamed gets one that is no longer in use.
 * So renaming can be undone for all names, and who still says an old name says a wrong one.
 */
export function renameNames(names: Iterable<string>, style: NamingStyle): Map<string, string> {
  const distinct = [...new Set(names)];
  if (style === 'misleading') {
    return new Map(
      distinct.map((name, at) => [name, distinct[(at + 1) % distinct.length] ?? name]),
    );
  }
  const renamed = new Map<string, string>();
  const taken = new Set<string>();
  for (const name of distinct) {
    const words = wordsOf(name);
    let written = words.length === 0 ? name : writers[style](words);
    for (let number = 2; taken.has(written); number++) {
      written = writers[style]([...words, String(number)]);
    }
    taken.add(written);
    renamed.set(name, written);
  }
  return permutation(renamed);
}

export function invert(names: ReadonlyMap<string, string>): Map<string, string> {
  return new Map(Array.from(names, ([from, to]) => [to, from]));
}

function wordsOf(name: string): string[] {
  return name
    .split(gap)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase());
}

function capitalise(word: string): string {
  const [first = ''] = word;
  return first.toUpperCase() + word.slice(first.length);
}

/** Closes the chains a → b → c of an injective map by c → a. */
function permutation(renamed: ReadonlyMap<string, string>): Map<string, string> {
  const origins = invert(renamed);
  const closed = new Map(renamed);
  for (const end of renamed.values()) {
    if (renamed.has(end)) continue;
    let start = end;
    for (let at = origins.get(start); at !== undefined; at = origins.get(start)) start = at;
    closed.set(end, start);
  }
  return closed;
}
