import { HammerlineError } from '#libs/contracts';

/**
 * Checks a path that somebody else wrote: relative, within its folder, and nothing that a shell or a terminal trips over.
 *
 * @param whose for the message, such as `the hub's list of files`
 * @throws HammerlineError `invalid_request`
 */
export function requireSafePath(path: string, whose: string): void {
  const parts = path.split('/');
  const isSafe =
    path.length <= 400 &&
    !/[\\:\p{C}]/u.test(path) &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..');
  if (isSafe) return;
  throw new HammerlineError(
    'invalid_request',
    `${whose} holds the path ${JSON.stringify(path)}, which could leave its folder: nothing of it is taken`,
  );
}

/**
 * A part of a URL's path as it is meant.
 *
 * @throws HammerlineError `invalid_request` for what is no percent-encoded UTF-8
 */
export function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    const fault = `${JSON.stringify(part)} is no part of a URL: encode "%" as "%25"`;
    throw new HammerlineError('invalid_request', fault, { cause });
  }
}
