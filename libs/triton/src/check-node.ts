/** What undici asks for. */
const NEEDED = '22.19';

/**
 * Why a version of Node is too old; undefined where it is not.
 *
 * @param version as `process.versions.node`
 */
export function tooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [neededMajor = 0, neededMinor = 0] = NEEDED.split('.').map(Number);
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return undefined;
  return `@hammerline/triton needs Node ${NEEDED} or newer, this is ${version}`;
}

// Imported before everything else: an old Node would die of something that nobody understands.
const problem = tooOld(process.versions.node);
if (problem !== undefined) throw new Error(problem);
