/** What Triton complains of on every machine without a GPU. */
const NO_GPU = /pinned_memory_manager|CudaDriverHelper|\b(NVML|DCGM|CUDA)\b/i;
/** Information, the tables that follow some of it, and the empty lines between. */
const INFORMATION = /^(I\d+ |[+|]|\s*$)/;

/**
 * Whether a line of a server's log tells its user something: warnings, errors, and what models print.
 *
 * @param {string} line
 */
export function isTelling(line) {
  return !INFORMATION.test(line) && !(/^[WE]\d+ /.test(line) && NO_GPU.test(line));
}
