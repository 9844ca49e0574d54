import { readdirSync, readFileSync } from 'node:fs';

/**
 * The processes that run a Triton model's instances: killing them breaks the model until it is loaded anew.
 *
 * @param model the model's folder as the server was told it: a stub has the path of its program on its command line
 */
export function stubPids(model: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${model}/`);
      } catch {
        return false; // gone meanwhile
      }
    });
}
