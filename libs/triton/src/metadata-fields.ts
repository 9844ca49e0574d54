import { invalidArgument } from './triton-error.js';

/** Names that belong to the protocol itself. */
const reserved =
  /^(:.*|grpc-.*|te|content-type|host|(proxy-)?connection|keep-alive|upgrade|transfer-encoding|content-length)$/;

/**
 * A call's metadata as header fields. Throws `invalid_argument` naming a field that HTTP cannot carry, or that is not the
 * caller's to set.
 */
export function metadataFields(
  metadata: Readonly<Record<string, string>>,
): (readonly [name: string, value: string])[] {
  return Object.entries(metadata).map(([given, value]) => {
    const name = given.toLowerCase();
    const where = `metadata ${JSON.stringify(given)}`;
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name))
      throw invalidArgument(where, 'is no header name', 'use letters, digits, "-" and "_"');
    if (reserved.test(name))
      throw invalidArgument(where, 'is part of the protocol', 'leave it out');
    if (typeof value !== 'string' || !/^[\t\x20-\x7e]*$/.test(value) || value.trim() !== value)
      throw invalidArgument(
        where,
        'has a value that no header carries',
        'use visible ASCII (base64 for the rest)',
      );
    return [name, value] as const;
  });
}
