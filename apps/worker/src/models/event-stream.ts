/** A line beyond this is no event of a model server, characters. */
const LONGEST_LINE = 1 << 20;

/**
 * The data of a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), event by
 * event; all else in it is passed over. Throws a TypeError for bytes that are no UTF-8, a SyntaxError for an endless line.
 */
export async function* eventData(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  let data: string[] = [];
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) throw new SyntaxError('a line of its events has no end');
    for (const ended of lines) {
      const line = ended.endsWith('\r') ? ended.slice(0, -1) : ended;
      if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
      if (line !== '' || data.length === 0) continue;
      yield data.join('\n');
      data = [];
    }
  }
}
