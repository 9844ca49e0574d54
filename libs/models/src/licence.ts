import { HammerlineError } from '#libs/contracts';

/** A licence as it is shown before anything is fetched. */
export interface Licence {
  /** As the hub names it, such as `cc-by-nc-4.0`; null: nobody says. */
  readonly id: string | null;
  readonly title: string;
  /** What it forbids or asks for, in a few words. */
  readonly terms: string;
  readonly link: string | null;
  /** It must be accepted by `--accept-licence`: it limits use, or is not known here. */
  readonly mustAccept: boolean;
}

/** What a model's card on the hub says. */
export interface LicenceWords {
  /** `license` of the card; `other` where `name` says more. */
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly link?: string | undefined;
}

/** Thrown where a licence must be accepted and was not. The command line tool exits with a status of its own. */
export class LicenceNotAccepted extends HammerlineError {}

const creativeCommons = (id: string) =>
  `https://creativecommons.org/licenses/${id.slice('cc-'.length, -'-4.0'.length)}/4.0/`;

/** Licences that allow any use; all ask that their text, or the author's name, goes along. */
const OPEN: Readonly<Record<string, string>> = {
  'apache-2.0': 'https://www.apache.org/licenses/LICENSE-2.0',
  mit: 'https://opensource.org/license/mit',
  'bsd-2-clause': 'https://opensource.org/license/bsd-2-clause',
  'bsd-3-clause': 'https://opensource.org/license/bsd-3-clause',
  'cc0-1.0': 'https://creativecommons.org/publicdomain/zero/1.0/',
  'cc-by-4.0': creativeCommons('cc-by-4.0'),
  'cc-by-sa-4.0': creativeCommons('cc-by-sa-4.0'),
};

const LIMITED: Readonly<Record<string, { title: string; terms: string; link: string | null }>> = {
  'cc-by-nc-4.0': {
    title: 'Creative Commons Attribution-NonCommercial 4.0',
    terms: 'no commercial use; name the author',
    link: creativeCommons('cc-by-nc-4.0'),
  },
  'cc-by-nc-sa-4.0': {
    title: 'Creative Commons Attribution-NonCommercial-ShareAlike 4.0',
    terms: 'no commercial use; name the author; changed works under the same licence',
    link: creativeCommons('cc-by-nc-sa-4.0'),
  },
  'cc-by-nc-nd-4.0': {
    title: 'Creative Commons Attribution-NonCommercial-NoDerivatives 4.0',
    terms: 'no commercial use; name the author; no changed works may be given away',
    link: creativeCommons('cc-by-nc-nd-4.0'),
  },
  'qwen-research': {
    title: 'Qwen Research License',
    terms: 'research and evaluation only, no commercial use',
    link: null,
  },
};

/**
 * What the makers say of the Hammer models, for pages that say nothing. By release: sizes that differ, then all others.
 * 3b is built on a model under Qwen's research licence.
 */
const HAMMER: readonly (readonly [RegExp, string])[] = [
  [/hammer[-_ ]?v?2\.[01].*?(?<![\d.])3b/i, 'qwen-research'],
  [/hammer[-_ ]?v?2\.1/i, 'cc-by-nc-4.0'],
  [/hammer[-_ ]?v?2\.0/i, 'cc-by-4.0'],
  [/(?:^|\/)hammer[-_ ]?[\d.]+b/i, 'cc-by-4.0'],
];

/**
 * The licence of a model by the words of its card, else by the model's name.
 *
 * @param name such as `MadeAgents/Hammer2.1-1.5b`
 */
export function licenceOf(name: string, words: LicenceWords): Licence {
  const said = words.id === undefined || words.id === 'other' ? words.name : words.id;
  const id = (said ?? HAMMER.find(([pattern]) => pattern.test(name))?.[1])?.toLowerCase();
  const link = words.link ?? null;
  if (id === undefined) {
    const terms = 'nobody says what is allowed: ask its makers';
    return { id: null, title: 'no licence known', terms, link, mustAccept: true };
  }
  const open = OPEN[id];
  if (open !== undefined) {
    const terms = 'any use, with its notices';
    return { id, title: id, terms, link: link ?? open, mustAccept: false };
  }
  const limited = LIMITED[id];
  if (limited !== undefined) {
    const { title, terms } = limited;
    return { id, title, terms, link: link ?? limited.link, mustAccept: true };
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
