import type { Entry } from '#libs/models';

/** Such as `3.1 GB`, in powers of ten, as disks are sold. */
export function bytesText(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** An entry as `--json` shows it; docs/models.md promises this form. */
export function entryJson(entry: Entry, used: boolean): Record<string, unknown> {
  const { name, folder, format, card, weights, adapter = null, loras } = entry;
  return {
    name,
    used,
    folder,
    format,
    card,
    weights,
    adapter,
    loras,
    tritonRepository: entry.tritonRepository,
    source: entry.source,
    licence: entry.licence,
    bytes: sizeOf(entry),
    files: entry.files,
    created: entry.created,
  };
}

/** All its files, also those that it only names. */
export function sizeOf({ files }: Entry): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
