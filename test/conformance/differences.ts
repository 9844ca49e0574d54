/** Characters shown before the first difference of a line, and in all. */
const before = 60;
const width = 200;
const maxLines = 8;

/** The lines in which two texts differ, cut to where they do: `- expected`, `+ actual`. */
export function differences(expected: string, actual: string): string[] {
  const left = expected.split('\n');
  const right = actual.split('\n');
  const shown: string[] = [];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const a = left[at];
    const b = right[at];
    if (a === b) continue;
    if (shown.length >= maxLines) return [...shown, '…'];
    const start = Math.max(0, commonStart(a ?? '', b ?? '') - before);
    shown.push(`line ${at + 1}, character ${start + 1}:`);
    if (a !== undefined) shown.push(`- ${excerpt(a, start)}`);
    if (b !== undefined) shown.push(`+ ${excerpt(b, start)}`);
  }
  return shown;
}

function commonStart(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

function excerpt(line: string, start: number): string {
  const rest = line.slice(start, start + width);
  // Quoted: a space at the end or a control character may be all the difference.
  return JSON.stringify(rest) + (start + width < line.length ? '…' : '');
}
