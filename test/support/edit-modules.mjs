// Loaded first into a process of ours (--import): its compiled modules are edited as they load. See edits.ts.
import { registerHooks } from 'node:module';

/** @type {import('./edits.js').Edit[]} */
const edits = JSON.parse(process.env['TEST_EDITS'] ?? '[]');

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const here = edits.filter(({ file }) => url.endsWith(`/dist/${file}`));
    if (here.length === 0) return loaded;
    let source = Buffer.from(/** @type {Uint8Array} */ (loaded.source)).toString();
    for (const { file, find, put } of here) {
      const parts = source.split(find);
      if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${find}`);
      source = parts.join(put);
    }
    return { ...loaded, source };
  },
});
