/** What shows as nothing, as a blank or as something else than it is, or moves what stands around it. */
const INVISIBLE = /[[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u{2800}]--[ \n]]/gv;

/**
 * JSON text of which each character can be seen: all that a reader could overlook or mistake for a blank is escaped. Who
 * approves a call approves what it shows.
 *
 * @param indent blanks by which levels are indented; without it the text is one line
 */
export function visibleJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replaceAll(INVISIBLE, escapeUnits);
}

function escapeUnits(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
