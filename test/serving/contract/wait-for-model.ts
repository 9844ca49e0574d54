import { type TritonClient, TritonError } from '#libs/triton';

/** To load a large model takes a server minutes. */
export const WAIT_MS = 600_000;
const ASK_EVERY_MS = 1_000;
const SAY_EVERY_MS = 10_000;
/** Errors of a server that starts. */
const PASSING = new Set(['unavailable', 'not_found', 'deadline_exceeded']);

type Asked = Pick<TritonClient, 'modelReady'>;

/**
 * Resolves when the server's model is ready; says every 10 s that it is not.
 *
 * @throws after WAIT_MS, with the reason; at once an error that does not pass, such as a wrong key
 */
export async function waitForModel(
  client: Asked,
  model: string,
  say: (line: string) => void,
): Promise<void> {
  const began = performance.now();
  for (let said = 0; ;) {
    const why = await whyNot(client, model);
    if (why === undefined) return;
    const waited = performance.now() - began;
    const line = `model ${model}: not ready after ${Math.round(waited / 1_000)} s: ${why}`;
    if (waited >= WAIT_MS) throw new Error(line);
    if (waited >= said + SAY_EVERY_MS) {
      said = waited;
      say(line);
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
}

async function whyNot(client: Asked, model: string): Promise<string | undefined> {
  try {
    const isReady = await client.modelReady(model, { timeoutMs: SAY_EVERY_MS });
    return isReady ? undefined : 'the server knows none of this name, or still loads it';
  } catch (error) {
    if (error instanceof TritonError && PASSING.has(error.code)) return error.message;
    throw error;
  }
}
