import { HammerlineError } from '#libs/contracts';

/** A licence as it is shown before anything is fetched. */
export interface Licence {
  /** As the hub names it, such as `cc-by-nc-4.0`; several with ` AND ` between them; null: nobody says. */
  readonly id: string | null;
  readonly title: string;
  /** What it forbids or asks for, in a few words. */
  readonly terms: string;
  readonly link: string | null;
  /** It must be accepted by `--accept-licence`: it limits use, or is not known here. */
  readonly mustAccept: boolean;
}

/** What a model's card on the hub, or the header of its file, says. */
export interface LicenceWords {
  /** All that are stated. Bare `other` says nothing. */
  readonly ids: readonly string[];
  readonly link?: string | undefined;
}

/** Thrown where a licence must be accepted and was not. The command line tool exits with a status of its own. */
export class LicenceNotAccepted extends HammerlineError {}

const creativeCommons = (id: string) =>
  `https://creativecommons.org/licenses/${id.slice('cc-'.length, -'-4.0'.length)}/4.0/`;

/** Licences that allow any use; all ask that their text, or the author's name, goes along. */
const OPEN = new Map([
  ['apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0'],
  ['mit', 'https://opensource.org/license/mit'],
  ['bsd-2-clause', 'https://opensource.org/license/bsd-2-clause'],
  ['bsd-3-clause', 'https://opensource.org/license/bsd-3-clause'],
  ['cc0-1.0', 'https://creativecommons.org/publicdomain/zero/1.0/'],
  ['cc-by-4.0', creativeCommons('cc-by-4.0')],
  ['cc-by-sa-4.0', creativeCommons('cc-by-sa-4.0')],
]);

const LIMITED = new Map<string, Pick<Licence, 'title' | 'terms' | 'link'>>([
  [
    'cc-by-nc-4.0',
    {
      title: 'Creative Commons Attribution-NonCommercial 4.0',
      terms: 'no commercial use; name the author',
      link: creativeCommons('cc-by-nc-4.0'),
    },
  ],
  [
    'cc-by-nc-sa-4.0',
    {
      title: 'Creative Commons Attribution-NonCommercial-ShareAlike 4.0',
      terms: 'no commercial use; name the author; changed works under the same licence',
      link: creativeCommons('cc-by-nc-sa-4.0'),
    },
  ],
  [
    'cc-by-nc-nd-4.0',
    {
      title: 'Creative Commons Attribution-NonCommercial-NoDerivatives 4.0',
      terms: 'no commercial use; name the author; no changed works may be given away',
      link: creativeCommons('cc-by-nc-nd-4.0'),
    },
  ],
  [
    'qwen-research',
    {
      title: 'Qwen Research License',
      terms: 'research and evaluation only, no commercial use',
      link: null,
    },
  ],
]);

/**
 * Hammer models whose makers limit their use, whatever the page of a copy says. By release: 3b, which is built on a model
 * under Qwen's research licence, then the other sizes. A name only adds a limit: it never opens a model.
 */
const HAMMER: readonly (readonly [RegExp, string])[] = [
  [/hammer[-_ ]?v?2\.[01].*?(?<![\d.])3b(?![a-z])/i, 'qwen-research'],
  [/hammer[-_ ]?v?2\.1/i, 'cc-by-nc-4.0'],
];

/**
 * The licence of a model: the strict ones of all that are stated and of those of the Hammer models that its names speak of;
 * where none is strict, all.
 *
 * @param names its repository or URL, its file, and the models that it was made of
 */
export function licenceOf(names: readonly string[], words: LicenceWords): Licence {
  const known = names.flatMap((name) => HAMMER.find(([pattern]) => pattern.test(name))?.[1] ?? []);
  const stated = words.ids.length === 0 && known.length === 0 ? ['other'] : words.ids;
  const all = new Map(known.map((id) => [id, readLicence(id, undefined)]));
  for (const id of stated) all.set(id.toLowerCase(), readLicence(id.toLowerCase(), words.link));
  const strict = [...all.values()].filter(({ mustAccept }) => mustAccept);
  const shown = strict.length > 0 ? strict : [...all.values()];
  const ids = shown.flatMap(({ id }) => id ?? []);
  return {
    id: ids.length > 0 ? ids.join(' AND ') : null,
    title: shown.map(({ title }) => title).join(' and '),
    terms: shown.map(({ terms }) => terms).join('; '),
    link: shown.flatMap(({ link }) => link ?? [])[0] ?? null,
    mustAccept: strict.length > 0,
  };
}

function readLicence(id: string, stated: string | undefined): Licence {
  const open = OPEN.get(id);
  if (open !== undefined) {
    const terms = 'any use, with its notices';
    return { id, title: id, terms, link: stated ?? open, mustAccept: false };
  }
  const limited = LIMITED.get(id);
  if (limited !== undefined) {
    const { title, terms, link } = limited;
    return { id, title, terms, link: stated ?? link, mustAccept: true };
  }
  const link = stated ?? null;
  if (id === 'other') {
    const terms = 'nobody says what is allowed: ask its makers';
    return { id: null, title: 'no licence known', terms, link, mustAccept: true };
  }
  const terms = 'not known to this program: read it first';
  return { id, title: id, terms, link, mustAccept: true };
}

/** @throws LicenceNotAccepted that says what to do, where the licence needs it and `accepted` is false */
export function requireAccepted(name: string, licence: Licence, accepted: boolean): void {
  if (accepted || !licence.mustAccept) return;
  const where = licence.link === null ? '' : ` (${licence.link})`;
  throw new LicenceNotAccepted(
    'invalid_request',
    `${name} is under ${licence.title}${where}: ${licence.terms}. If that suits you, give --accept-licence; nothing was fetched`,
  );
}
