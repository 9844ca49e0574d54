import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { HammerlineError } from '#libs/contracts';

export interface Section {
  heading: string;
  text: string;
}

/**
 * Appends a section to a Markdown file, once for a call id: its last line is a comment with that id, and a file that
 * holds it is left as it is. The file is made if it is not there; its folder is not.
 *
 * Two processes may append at once: a section is one write at the file's end, which the kernel keeps apart from other
 * such writes. A process killed within a write may leave part of a section; as the mark comes last, the next execution
 * appends all of it anew. Reading and writing are synchronous, so that nothing of this process comes between; a
 * process stopped in that instant while another executes the same call is what remains.
 *
 * @throws HammerlineError `tool_failed`; then the section has not been written in full
 */
export function appendSection(file: string, callId: string, { heading, text }: Section): void {
  const mark = `<!-- ${callId} -->`;
  const descriptor = openSync(file, 'a+');
  try {
    const content = readFileSync(descriptor, 'utf8');
    if (content.split('\n').includes(mark)) return;
    const gap =
      content === '' || content.endsWith('\n\n') ? '' : content.endsWith('\n') ? '\n' : '\n\n';
    const section = Buffer.from(`${gap}## ${heading}\n\n${text}\n${mark}\n`);
    const written = writeSync(descriptor, section);
    if (written < section.length) {
      throw new HammerlineError('tool_failed', 'the disk took only a part of the section');
    }
  } finally {
    closeSync(descriptor);
  }
}
