import { readFile } from 'node:fs/promises';
import { HammerlineError } from '#libs/contracts';
import { ModelCard } from '#libs/models';
import { z } from 'zod';

/** A model card as JSON. Throws an Error that names the fields that are wrong. */
export function parseCard(text: string): ModelCard {
  try {
    return ModelCard.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new Error(reason.replaceAll(/\s+/g, ' '), { cause });
  }
}

/** The card in the file that MODEL_CARD names. Throws `config_invalid`. */
export async function readCardFile(path: string): Promise<ModelCard> {
  try {
    return parseCard(await readFile(path, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `MODEL_CARD: ${path} holds no model card: ${reason}. See docs/models.md.`;
    throw new HammerlineError('config_invalid', message, { cause });
  }
}
